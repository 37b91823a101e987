//! The container image: a tar of an [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md),
//! with the `manifest.json` beside it that `docker load` reads. No container engine is needed to make it.
//!
//! What is in it and how it starts is the same as in `deploy/container/Dockerfile`, which builds from source.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::build::Built;
use super::{Release, SERVER, archive, debian, files};
use crate::Result;
use crate::cargo::program;

/// User and group of the process: nobody that the image or a usual host knows.
const USER: &str = "65532";
/// Public authorities, for providers that have their certificate from one.
pub(super) const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// For managed tokens in a file. A new named volume takes owner and mode from here.
const STATE: &str = "var/lib/opensearch-oauth-proxy";
/// For the configuration that is mounted there.
const CONFIGURATION: &str = "etc/opensearch-oauth-proxy";
const PROGRAM: &str = "usr/local/bin/opensearch-oauth-proxy";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub(super) async fn make(release: &Release, built: &Built, third_party: &str, out: &Path) -> Result<()> {
    let stage = release.source.join("target/dist-image");
    files::empty(&stage)?;
    let root = stage.join("root");
    let doc = root.join("usr/share/doc").join(SERVER);
    files::install(&built.program(SERVER), &root.join(PROGRAM))?;
    files::copy(&Path::new("/").join(CERTIFICATES), &root.join(CERTIFICATES))?;
    files::copy(&release.source.join("LICENSE"), &doc.join("LICENSE"))?;
    files::write(&doc.join("THIRD-PARTY"), third_party)?;
    let file = format!("{SERVER}-{}-linux-{}.oci.tar", release.version, debian::architecture());
    pack(release, &stage, &out.join(file)).await
}

/// Packs `stage/root` as the only layer of an image.
async fn pack(release: &Release, stage: &Path, image: &Path) -> Result<()> {
    let (layer, diff_id) = layer(release, stage).await?;
    let layout = Layout { folder: stage.join("layout") };
    let layer = layout.add(&layer, LAYER).await?;
    let config = stage.join("config.json");
    files::write(&config, configuration(release, &diff_id).to_string())?;
    let config = layout.add(&config, CONFIG).await?;
    let manifest = stage.join("manifest.json");
    files::write(&manifest, self::manifest(release, &config, &layer).to_string())?;
    let manifest = layout.add(&manifest, MANIFEST).await?;
    for (name, content) in [
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
        ("index.json", index(release, manifest)),
        ("manifest.json", for_docker(release, &config, &layer)),
    ] {
        files::write(&layout.folder.join(name), content.to_string())?;
    }
    archive::tar(release, &layout.folder, &["blobs", "index.json", "manifest.json", "oci-layout"], image, &[])
        .await
}

/// The compressed layer, and the digest of what it was before.
async fn layer(release: &Release, stage: &Path) -> Result<(PathBuf, String)> {
    let root = stage.join("root");
    for folder in [CONFIGURATION, "var/lib"] {
        files::empty(&root.join(folder))?;
    }
    let tar = stage.join("layer.tar");
    archive::tar(release, &root, &["etc", "usr", "var"], &tar, &[]).await?;
    let owned = stage.join("owned");
    files::empty(&owned.join(STATE))?;
    let (tar_text, owner, group) =
        (tar.display().to_string(), format!("--owner={USER}"), format!("--group={USER}"));
    let mtime = format!("--mtime=@{}", release.epoch);
    let add = ["--append", "--file", &tar_text, "--format=ustar", "--numeric-owner", "--mode=0700"];
    program("tar", &[&add[..], &[&owner, &group, &mtime, STATE]].concat()).within(&owned).output().await?;
    let diff_id = format!("sha256:{}", files::sha256(&tar).await?);
    program("gzip", &["--best", "--no-name", "layer.tar"]).within(stage).output().await?;
    Ok((stage.join("layer.tar.gz"), diff_id))
}

/// A folder of content that is found by its digest.
#[derive(Debug)]
struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Copies a file into it. Returns its [descriptor](https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md).
    async fn add(&self, file: &Path, media_type: &str) -> Result<Value> {
        let digest = files::sha256(file).await?;
        let content = files::read(file)?;
        files::write(&self.folder.join("blobs/sha256").join(&digest), &content)?;
        Ok(json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": content.len()}))
    }
}

/// What the image is, under the [names that are agreed on](https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md).
fn labels(release: &Release) -> Value {
    json!({
        "org.opencontainers.image.title": SERVER,
        "org.opencontainers.image.description": "OAuth 2.0 proxy in front of OpenSearch",
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.revision": release.commit,
        "org.opencontainers.image.created": release.date,
        "org.opencontainers.image.licenses": "Apache-2.0",
    })
}

fn configuration(release: &Release, diff_id: &str) -> Value {
    json!({
        "created": release.date,
        "architecture": debian::architecture(),
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "ExposedPorts": {"8443/tcp": {}, "9600/tcp": {}},
            "Entrypoint": [format!("/{PROGRAM}")],
            "Cmd": ["serve", "--config", format!("/{CONFIGURATION}/config.yml")],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": labels(release),
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": release.date, "created_by": "cargo xtask dist"}],
    })
}

fn manifest(release: &Release, config: &Value, layer: &Value) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": labels(release),
    })
}

fn index(release: &Release, mut manifest: Value) -> Value {
    manifest["platform"] = json!({"architecture": debian::architecture(), "os": "linux"});
    // As podman and skopeo name it, and as containerd does.
    let name = name(release);
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": name,
        "io.containerd.image.name": format!("docker.io/library/{name}"),
    });
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    })
}

/// The `manifest.json` of a `docker save`.
fn for_docker(release: &Release, config: &Value, layer: &Value) -> Value {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        format!("blobs/{}", digest.replace(':', "/"))
    };
    json!([{"Config": blob(config), "RepoTags": [name(release)], "Layers": [blob(layer)]}])
}

/// What the image is called where it is loaded.
fn name(release: &Release) -> String {
    format!("{SERVER}:{}", release.version)
}

#[cfg(test)]
mod tests {
    use super::super::sbom::tests::release;
    use super::*;
    use crate::cargo::workspace;

    /// An image of a made up root, in a folder that lives as long as the test. Returns its bytes and its folder.
    async fn sample(name: &str) -> (Vec<u8>, PathBuf) {
        let folder = std::env::temp_dir().join(format!("image-{name}-{}", std::process::id()));
        files::empty(&folder).unwrap();
        files::write(&folder.join("root").join(PROGRAM), "a program").unwrap();
        files::mode(&folder.join("root").join(PROGRAM), 0o755).unwrap();
        files::write(&folder.join("root").join(CERTIFICATES), "certificates").unwrap();
        let image = folder.join("image.tar");
        pack(&release(), &folder, &image).await.unwrap();
        (files::read(&image).unwrap(), folder)
    }

    fn json_of(path: &Path) -> Value {
        serde_json::from_slice(&files::read(path).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_same_content_makes_the_same_image_anywhere() {
        let (first, first_folder) = sample("first").await;
        let (again, again_folder) = sample("again-with-a-longer-name").await;
        for folder in [first_folder, again_folder] {
            std::fs::remove_dir_all(folder).unwrap();
        }
        assert!(first == again);
    }

    #[tokio::test]
    async fn every_digest_leads_to_what_it_names() {
        let (_, folder) = sample("digests").await;
        let layout = folder.join("layout");
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
            (layout.join("blobs/sha256").join(&digest), digest)
        };
        let index = json_of(&layout.join("index.json"));
        let (manifest, _) = blob(&index["manifests"][0]);
        let manifest = json_of(&manifest);
        for descriptor in [&index["manifests"][0], &manifest["config"], &manifest["layers"][0]] {
            let (path, digest) = blob(descriptor);
            assert_eq!(files::sha256(&path).await.unwrap(), digest);
            assert_eq!(files::read(&path).unwrap().len(), descriptor["size"]);
        }
        let (layer, _) = blob(&manifest["layers"][0]);
        let (config, _) = blob(&manifest["config"]);
        let config = json_of(&config);
        program("cp", &[&layer.display().to_string(), "unpacked.gz"]).within(&folder).output().await.unwrap();
        program("gunzip", &["unpacked.gz"]).within(&folder).output().await.unwrap();
        let unpacked = files::sha256(&folder.join("unpacked")).await.unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{unpacked}"));
        let list = ["--list", "--verbose", "--numeric-owner", "--file", "unpacked"];
        let list = program("tar", &list).within(&folder).output().await.unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        // Mode, owner, and name behind size and time.
        let entries: Vec<String> = list
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                format!("{} {} {}", words[0], words[1], words[5])
            })
            .collect();
        assert_eq!(
            entries,
            [
                "drwxr-xr-x 0/0 etc/",
                "drwxr-xr-x 0/0 etc/opensearch-oauth-proxy/",
                "drwxr-xr-x 0/0 etc/ssl/",
                "drwxr-xr-x 0/0 etc/ssl/certs/",
                "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
                "drwxr-xr-x 0/0 usr/",
                "drwxr-xr-x 0/0 usr/local/",
                "drwxr-xr-x 0/0 usr/local/bin/",
                "-rwxr-xr-x 0/0 usr/local/bin/opensearch-oauth-proxy",
                "drwxr-xr-x 0/0 var/",
                "drwxr-xr-x 0/0 var/lib/",
                "drwx------ 65532/65532 var/lib/opensearch-oauth-proxy/",
            ]
        );
    }

    #[test]
    fn it_starts_like_the_one_that_is_built_from_source() {
        let file = files::read(&workspace().join("deploy/container/Dockerfile")).unwrap();
        let file = String::from_utf8_lossy(&file).into_owned();
        let said = |instruction: &str| {
            let last =
                file.lines().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' ')).next_back();
            last.unwrap().to_owned()
        };
        let config = configuration(&release(), "")["config"].take();
        assert_eq!(config["User"], said("USER"));
        assert_eq!(config["StopSignal"], said("STOPSIGNAL"));
        assert_eq!(config["Entrypoint"], serde_json::from_str::<Value>(&said("ENTRYPOINT")).unwrap());
        assert_eq!(config["Cmd"], serde_json::from_str::<Value>(&said("CMD")).unwrap());
        let ports: Vec<String> = said("EXPOSE").split(' ').map(|port| format!("{port}/tcp")).collect();
        let exposed = config["ExposedPorts"].as_object().unwrap();
        assert_eq!(exposed.keys().collect::<Vec<_>>(), ports.iter().collect::<Vec<_>>());
    }
}
