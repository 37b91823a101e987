use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use transport::{HttpClient, TlsOptions};
use url::{Url, form_urlencoded};

/// As much of a browser as a login takes: cookies, redirects and forms.
pub(crate) struct Browser {
    http: HttpClient,
    cookies: HashMap<String, String>,
}

/// A page with the address it was got from.
struct Page {
    address: Url,
    html: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = HttpClient::new(&TlsOptions::default(), None, Duration::from_mins(1), 4 << 20).unwrap();
        Self { http, cookies: HashMap::new() }
    }

    /// Goes to an address: the page that it ends with.
    pub(crate) async fn open(&mut self, address: &str) -> String {
        self.go(Method::GET, address.parse().unwrap(), String::new()).await.html
    }

    /// Goes to an address and fills the forms that come: name and password, then consent.
    pub(crate) async fn log_in(&mut self, address: &str, user: &str) -> String {
        let mut page = self.go(Method::GET, address.parse().unwrap(), String::new()).await;
        // A login has two forms at most: this ends.
        for _ in 0..3 {
            let Some((action, mut fields)) = form(&page) else {
                break;
            };
            if page.html.contains("name=\"password\"") {
                fields.push(("username".to_owned(), user.to_owned()));
                fields.push(("password".to_owned(), format!("{user}-password")));
            } else {
                fields.push(("accept".to_owned(), "Yes".to_owned()));
            }
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            page = self.go(Method::POST, action, body).await;
        }
        page.html
    }

    async fn go(&mut self, mut method: Method, mut address: Url, mut body: String) -> Page {
        for _ in 0..10 {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = Request::builder()
                .method(method.clone())
                .uri(address.as_str())
                .header(header::COOKIE, cookies.join("; "))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Bytes::from(body.clone()));
            let response = self.http.send(request.unwrap()).await.unwrap();
            for cookie in response.headers.get_all(header::SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers.get(header::LOCATION) else {
                assert!(
                    matches!(response.status, StatusCode::OK | StatusCode::BAD_REQUEST),
                    "{address}: {}",
                    response.status
                );
                return Page { address, html: String::from_utf8_lossy(&response.body).into_owned() };
            };
            address = address.join(location.to_str().unwrap()).unwrap();
            (method, body) = (Method::GET, String::new());
        }
        panic!("too many redirects, the last to {address}")
    }
}

/// Where the first form goes, with its hidden fields.
fn form(page: &Page) -> Option<(Url, Vec<(String, String)>)> {
    let (_, form) = page.html.split_once("<form")?;
    let (form, _) = form.split_once("</form>")?;
    let action = attribute(form, "action")?;
    let hidden = form.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
    let fields =
        hidden.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect();
    Some((page.address.join(&action).ok()?, fields))
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let (_, value) = element.split_once(&format!(" {name}=\""))?;
    let (value, _) = value.split_once('"')?;
    Some(value.replace("&amp;", "&"))
}
