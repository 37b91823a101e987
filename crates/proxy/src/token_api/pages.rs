//! The pages that people see. They need no script, load nothing, and say nothing that was not escaped.

mod words;

use std::{
    fmt::{self, Display, Formatter, Write as _},
    sync::LazyLock,
};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use http::HeaderValue;
use oauth::is_loopback_redirect;
use url::Url;

use self::words::{duration, sentence};
use super::{
    clients::Client,
    consent::{Offer, shown_code},
    flow::{Asking, AskingWay},
};
use crate::headers::text_value;

const STYLE: &str = include_str!("pages/style.css");
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// What is offered to choose from, in seconds.
const LIFETIMES: [u64; 7] = [15 * MINUTE, HOUR, 8 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY];

static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref())));

/// The `Content-Security-Policy` of a page: nothing but its own style; its forms lead here and, where a code goes to a client, to that.
/// The address of a client may send the browser on to another of its own, which counts as a form's target too.
pub(crate) fn security_policy(form_target: Option<&str>) -> HeaderValue {
    let origin = form_target.and_then(|uri| uri.parse::<Url>().ok()).map(|url| {
        let origin = url.origin().ascii_serialization();
        if url.scheme() == "https" { " https:".to_owned() } else { format!(" https: {origin}") }
    });
    let targets = origin.unwrap_or_default();
    text_value(&format!(
        "default-src 'none'; style-src {}; form-action 'self'{targets}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_SOURCE
    ))
}

/// Text as it can stand in a page and in the value of an attribute.
struct Text<'t>(&'t str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // What turns the direction of a text could make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                f.write_char('\u{fffd}')
            }
            character if character.is_control() => f.write_char('\u{fffd}'),
            character => f.write_char(character),
        })
    }
}

/// A page around its content.
fn page(f: &mut Formatter<'_>, title: &str, content: &str) -> fmt::Result {
    let title = Text(title);
    write!(
        f,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{content}</main>\n</body>\n</html>\n"
    )
}

/// The question.
pub(crate) struct Consent<'a> {
    pub(crate) client: &'a Client,
    pub(crate) person: &'a str,
    pub(crate) asking: &'a Asking,
    pub(crate) offer: &'a Offer,
    pub(crate) clusters: Vec<&'a str>,
    pub(crate) flow: &'a str,
    pub(crate) sealed: &'a str,
}

impl Display for Consent<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Text(&self.client.name);
        let mut content = format!(
            "<h1>Allow {name} to use OpenSearch for you?</h1>\n\
             <dl>\n<dt>Program</dt><dd>{name} <code>{}</code></dd>\n<dt>Signed in as</dt><dd>{}</dd>\n{}</dl>\n",
            Text(self.client.id()),
            Text(self.person),
            Named { singular: "Cluster", plural: "Clusters", names: &self.clusters },
        );
        self.origin(&mut content)?;
        content.push_str("<h2>It will be able to</h2>\n<ul id=\"scopes\">\n");
        for scope in &self.offer.permission.scopes {
            let text = scope.to_string();
            writeln!(content, "<li>{} <code>{}</code></li>", Text(&sentence(scope)), Text(&text))?;
        }
        content.push_str("</ul>\n");
        if !self.offer.withheld.is_empty() {
            let withheld: Vec<String> = self.offer.withheld.iter().map(ToString::to_string).collect();
            writeln!(
                content,
                "<p class=\"quiet\">It also asked for <code>{}</code>, which you may not give, or not whole.</p>",
                Text(&withheld.join(" "))
            )?;
        }
        self.form(&mut content)?;
        page(f, &format!("Allow {}?", self.client.name), &content)
    }
}

impl Consent<'_> {
    /// Who really asks, as far as that can be told.
    fn origin(&self, content: &mut String) -> fmt::Result {
        match &self.asking.way {
            AskingWay::Device { .. } => writeln!(
                content,
                "<p class=\"note\">A device asks. Go on only if it is yours, and shows the code \
                 <strong id=\"code\">{}</strong>.</p>",
                Text(&shown_code(self.asking).unwrap_or_default())
            ),
            AskingWay::Code { redirect_uri, .. } if is_loopback_redirect(redirect_uri) => writeln!(
                content,
                "<p class=\"note\">A program on this computer asks. Go on only if you have just started it yourself.</p>"
            ),
            AskingWay::Code { redirect_uri, .. } => {
                let host = redirect_uri.parse::<Url>().ok().and_then(|url| url.host_str().map(str::to_owned));
                let host = host.unwrap_or_default();
                writeln!(content, "<p>The answer goes to <strong>{}</strong>.</p>", Text(&host))
            }
        }
    }

    fn form(&self, content: &mut String) -> fmt::Result {
        let (longest, proposed) = (self.offer.permission.lifetime, self.offer.proposed);
        let mut lifetimes: Vec<u64> = LIFETIMES.into_iter().filter(|seconds| *seconds < longest).collect();
        lifetimes.extend([longest, proposed]);
        lifetimes.sort_unstable();
        lifetimes.dedup();
        write!(
            content,
            "<form method=\"post\" action=\"/oauth/consent\">\n\
             <input type=\"hidden\" name=\"flow\" value=\"{}\">\n<input type=\"hidden\" name=\"request\" value=\"{}\">\n\
             <label for=\"lifetime\">For how long?</label>\n<select id=\"lifetime\" name=\"lifetime\">\n",
            Text(self.flow),
            Text(self.sealed),
        )?;
        for seconds in lifetimes {
            let selected = if seconds == proposed { " selected" } else { "" };
            writeln!(content, "<option value=\"{seconds}\"{selected}>{}</option>", duration(seconds))?;
        }
        content.push_str("</select>\n");
        if self.offer.approval {
            content.push_str("<p class=\"quiet\">Somebody else must agree before it can be used.</p>\n");
        }
        content.push_str(
            "<div class=\"actions\">\n<button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>\n\
             <button class=\"main\" type=\"submit\" name=\"decision\" value=\"allow\">Allow</button>\n</div>\n</form>\n\
             <p class=\"quiet\">You can take this back at any time: what you allow is listed at <code>/oauth/consents</code>.</p>\n",
        );
        Ok(())
    }
}

/// A row of names, if there are any.
struct Named<'a> {
    singular: &'a str,
    plural: &'a str,
    names: &'a [&'a str],
}

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let title = match self.names {
            [] => return Ok(()),
            [_] => self.singular,
            _ => self.plural,
        };
        writeln!(f, "<dt>{title}</dt><dd>{}</dd>", Text(&self.names.join(", ")))
    }
}

/// Where the code of a device is entered.
pub(crate) struct Device<'a> {
    pub(crate) entered: &'a str,
    pub(crate) problem: Option<&'a str>,
}

impl Display for Device<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (described, problem) = match self.problem {
            Some(problem) => (
                " aria-invalid=\"true\" aria-describedby=\"problem\"",
                format!("<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n", Text(problem)),
            ),
            None => ("", String::new()),
        };
        let content = format!(
            "<h1>Connect a device</h1>\n<p>Enter the code that the device or program shows.</p>\n{problem}\
             <form method=\"post\" action=\"/oauth/device\">\n<label for=\"user_code\">Code</label>\n\
             <input class=\"code\" type=\"text\" id=\"user_code\" name=\"user_code\" value=\"{}\" required maxlength=\"20\" \
             autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" placeholder=\"XXXX-XXXX\"{described}>\n\
             <div class=\"actions\"><button class=\"main\" type=\"submit\">Continue</button></div>\n</form>\n\
             <p class=\"note\">Enter only a code that you asked for yourself. Nobody who calls or writes to you needs one.</p>\n",
            Text(self.entered)
        );
        page(f, "Connect a device", &content)
    }
}

/// A device that waits. The way on is a link, since a form could not leave for the provider.
pub(crate) struct DeviceFound<'a> {
    pub(crate) client: &'a str,
    pub(crate) code: &'a str,
    pub(crate) address: &'a str,
}

impl Display for DeviceFound<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let client = Text(self.client);
        let content = format!(
            "<h1>Is this your device?</h1>\n<p>{client} waits with the code</p>\n<p class=\"code\">{}</p>\n\
             <p>If your device shows this code, sign in to go on. You will be asked once more before it gets anything.</p>\n\
             <div class=\"actions\"><a class=\"button main\" href=\"{}\">Sign in</a></div>\n",
            Text(self.code),
            Text(self.address),
        );
        page(f, "Is this your device?", &content)
    }
}

/// The end, where there is no program to go back to.
pub(crate) struct Done {
    pub(crate) allowed: bool,
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (title, said) = if self.allowed {
            ("The device is connected", "It goes on by itself. You can close this window.")
        } else {
            ("Nothing was allowed", "The device is told so. You can close this window.")
        };
        page(f, title, &format!("<h1>{title}</h1>\n<p>{said}</p>\n"))
    }
}

/// What went wrong, where nobody but the person can be told.
pub(crate) struct Problem<'a> {
    pub(crate) description: &'a str,
    /// Of the audit record.
    pub(crate) decision_id: &'a str,
}

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let content = format!(
            "<h1>This did not work</h1>\n<p id=\"problem\" role=\"alert\">{}.</p>\n\
             <p class=\"quiet\">Nothing was allowed. Whoever runs this service finds more under <code>{}</code>.</p>\n",
            Text(self.description),
            Text(self.decision_id),
        );
        page(f, "This did not work", &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let text = Text("<script>\"a\" & 'b'\u{202e}\u{0}</script>").to_string();
        assert_eq!(text, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}\u{fffd}&lt;/script&gt;");
        let page = Device { entered: "\"><img src=x>", problem: Some("<b>") }.to_string();
        assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn forms_lead_here_and_to_the_client_alone() {
        let policy = |target| security_policy(target).to_str().unwrap_or_default().to_owned();
        for (target, action) in [
            (None, "form-action 'self';"),
            (Some("https://agent.example/cb"), "form-action 'self' https:;"),
            (Some("http://127.0.0.1:51004/cb"), "form-action 'self' https: http://127.0.0.1:51004;"),
        ] {
            let policy = policy(target);
            assert!(policy.contains(action) && policy.contains("default-src 'none'"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        }
    }
}
