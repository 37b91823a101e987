//! The Debian packages, one for each program. What is particular to them is in `deploy/debian`.

use std::path::Path;

use super::build::Built;
use super::{Release, SERVER, archive, files};
use crate::Result;
use crate::cargo::program;

/// Scripts that run as the package comes and goes.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

pub(super) async fn package(
    name: &str,
    release: &Release,
    built: &Built,
    third_party: &str,
    out: &Path,
) -> Result<()> {
    let root = release.source.join("target/dist-debian").join(name);
    files::empty(&root)?;
    lay_out(name, release, built, third_party, &root).await?;
    control(name, release, &root).await?;
    let file = format!("{name}_{}_{}.deb", release.version, architecture());
    let (root, file) = (root.display().to_string(), out.join(file).display().to_string());
    // One thread: how many there are may show in the compressed form.
    let build = ["--root-owner-group", "-Zxz", "--threads-max=1", "--build", &root, &file];
    program("dpkg-deb", &build).env("SOURCE_DATE_EPOCH", &release.epoch).run().await
}

/// Debian's name for the processor of this machine, which is also that of container images.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The files that will be installed, below `root`.
async fn lay_out(name: &str, release: &Release, built: &Built, third_party: &str, root: &Path) -> Result<()> {
    let source = &release.source;
    let debian = source.join("deploy/debian");
    let share = root.join("usr/share");
    let doc = share.join("doc").join(name);
    files::install(&built.program(name), &root.join("usr/bin").join(name))?;
    archive::manual(built, name, &share.join("man/man1")).await?;
    compress(&share.join("man/man1")).await?;
    let completions = source.join("target/dist-debian/completions");
    archive::completions(built, name, &completions).await?;
    for (file, place) in [
        (format!("{name}.bash"), format!("bash-completion/completions/{name}")),
        (format!("_{name}"), format!("zsh/vendor-completions/_{name}")),
        (format!("{name}.fish"), format!("fish/vendor_completions.d/{name}.fish")),
    ] {
        files::copy(&completions.join(file), &share.join(place))?;
    }
    files::copy(&source.join("CHANGELOG.md"), &doc.join("CHANGELOG.md"))?;
    files::write(&doc.join("THIRD-PARTY"), third_party)?;
    compress(&doc).await?;
    files::copy(&debian.join("copyright"), &doc.join("copyright"))?;
    if name == SERVER {
        for (from, to) in [
            (
                "deploy/systemd/opensearch-oauth-proxy.service",
                "usr/lib/systemd/system/opensearch-oauth-proxy.service",
            ),
            ("deploy/systemd/sysusers.conf", "usr/lib/sysusers.d/opensearch-oauth-proxy.conf"),
            ("deploy/systemd/tmpfiles.conf", "usr/lib/tmpfiles.d/opensearch-oauth-proxy.conf"),
            ("deploy/systemd/default", "etc/default/opensearch-oauth-proxy"),
            ("schema/config.schema.json", "usr/share/opensearch-oauth-proxy/config.schema.json"),
            ("examples/minimal.yml", "usr/share/doc/opensearch-oauth-proxy/examples/minimal.yml"),
            ("examples/agents.yml", "usr/share/doc/opensearch-oauth-proxy/examples/agents.yml"),
        ] {
            files::copy(&source.join(from), &root.join(to))?;
        }
        // What stands in it may be secret.
        files::mode(&root.join("etc/default/opensearch-oauth-proxy"), 0o640)?;
    }
    Ok(())
}

/// Compresses each file of a folder, as Debian's policy has it for manual pages and long texts.
async fn compress(folder: &Path) -> Result<()> {
    let paths: Vec<String> =
        files::entries(folder)?.iter().map(|path| files::relative(path, folder)).collect();
    let arguments = ["--best", "--no-name"].into_iter().chain(paths.iter().map(String::as_str));
    program("gzip", &arguments.collect::<Vec<_>>()).within(folder).output().await?;
    Ok(())
}

/// The folder `DEBIAN`: what `dpkg` must know.
async fn control(name: &str, release: &Release, root: &Path) -> Result<()> {
    let installed = files::below(root)?;
    let paths: Vec<String> = installed.iter().map(|path| files::relative(path, root)).collect();
    let sums = program("md5sum", &paths.iter().map(String::as_str).collect::<Vec<_>>())
        .within(root)
        .output()
        .await?;
    let mut bytes = 0;
    for path in &installed {
        bytes += files::read(path)?.len();
    }
    let own = release.source.join("deploy/debian").join(name);
    let place = root.join("DEBIAN");
    let template = String::from_utf8_lossy(&files::read(&own.join("control"))?).into_owned();
    let text = template
        .replace("@VERSION@", &release.version)
        .replace("@ARCHITECTURE@", architecture())
        .replace("@KIBIBYTES@", &bytes.div_ceil(1024).to_string());
    files::write(&place.join("control"), text)?;
    files::write(&place.join("md5sums"), sums)?;
    let conffiles: Vec<String> =
        paths.iter().filter(|path| path.starts_with("etc/")).map(|path| format!("/{path}")).collect();
    if !conffiles.is_empty() {
        files::write(&place.join("conffiles"), conffiles.join("\n") + "\n")?;
    }
    for script in SCRIPTS.iter().filter(|script| own.join(script).exists()) {
        files::install(&own.join(script), &place.join(script))?;
    }
    Ok(())
}
