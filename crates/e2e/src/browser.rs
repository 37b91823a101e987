use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use transport::{HttpClient, TlsOptions};
use url::{Url, form_urlencoded};

use crate::Client;

/// As much of a browser as a login takes: cookies, redirects and forms.
#[derive(Debug)]
pub struct Browser {
    http: HttpClient,
    /// The proxy under the address that it calls itself.
    proxy: Option<(Url, Client)>,
    /// By host and name.
    cookies: HashMap<(String, String), String>,
}

/// A page, or a redirect to where the browser cannot go.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its address.
    pub address: Url,
    /// The status; that of the redirect, where it cannot be followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The text.
    pub html: String,
}

impl Browser {
    /// One without any cookies.
    pub fn new() -> Self {
        let http = HttpClient::new(&TlsOptions::default(), None, Duration::from_mins(1), 4 << 20);
        Self { http: http.expect("a client"), proxy: None, cookies: HashMap::new() }
    }

    /// One that reaches the proxy at its `public_url` too.
    pub fn at(public_url: &str, proxy: Client) -> Self {
        let public_url = public_url.parse().expect("a URL");
        Self { proxy: Some((public_url, proxy)), ..Self::new() }
    }

    /// Goes to an address: the page that it ends with.
    pub async fn open(&mut self, address: &str) -> Page {
        self.go(Method::GET, address.parse().expect("a URL"), String::new()).await
    }

    /// Sends the first form of a page with its hidden fields and these.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let (action, hidden) = page.form().expect("the page has a form");
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(hidden).extend_pairs(fields);
        self.go(Method::POST, action, body.finish()).await
    }

    /// Follows the first link of a page.
    pub async fn follow(&mut self, page: &Page) -> Page {
        let (_, link) = page.html.split_once("<a ").expect("the page has a link");
        let target = attribute(&format!(" {link}"), "href").expect("the link leads somewhere");
        let address = page.address.join(&target).expect("a URL");
        self.go(Method::GET, address, String::new()).await
    }

    /// Goes to an address and fills the provider's forms that come: name and password, then consent there.
    pub async fn log_in(&mut self, address: &str, user: &str) -> Page {
        let page = self.open(address).await;
        self.fill_login(page, user).await
    }

    /// Fills the provider's forms from this page on.
    pub async fn fill_login(&mut self, mut page: Page, user: &str) -> Page {
        let password = format!("{user}-password");
        // A login has two forms at most: this ends.
        for _ in 0..3 {
            if page.form().is_none() || self.is_of_proxy(&page.address) {
                break;
            }
            page = if page.html.contains("name=\"password\"") {
                self.submit(&page, &[("username", user), ("password", &password)]).await
            } else {
                self.submit(&page, &[("accept", "Yes")]).await
            };
        }
        page
    }

    /// From here on another proxy answers at the same address, as behind a load balancer.
    pub fn is_sent_to(&mut self, client: Client) {
        if let Some((_, proxy)) = &mut self.proxy {
            *proxy = client;
        }
    }

    /// The cookies that the proxy has set and not taken back, as they are sent.
    pub fn proxy_cookies(&self) -> Vec<(String, String)> {
        let host = self.proxy.as_ref().map(|(url, _)| host(url));
        let own = self.cookies.iter().filter(|((of, _), _)| Some(of) == host.as_ref());
        own.map(|((_, name), value)| (name.clone(), value.clone())).collect()
    }

    /// Sets a cookie of the proxy, as another browser has it.
    pub fn set_proxy_cookie(&mut self, name: &str, value: &str) {
        let (url, _) = self.proxy.as_ref().expect("the browser knows a proxy");
        self.cookies.insert((host(url), name.to_owned()), value.to_owned());
    }

    fn is_of_proxy(&self, address: &Url) -> bool {
        self.proxy.as_ref().is_some_and(|(url, _)| url.origin() == address.origin())
    }

    async fn go(&mut self, mut method: Method, mut address: Url, mut body: String) -> Page {
        for _ in 0..15 {
            let page = self.get(&method, &address, &body).await;
            let Some(location) = page.headers.get(header::LOCATION) else { return page };
            let target = address.join(location.to_str().expect("an address")).expect("a URL");
            let keycloak = target.scheme() == "http" && target.path().starts_with("/realms/");
            if !keycloak && !self.is_of_proxy(&target) && self.proxy.is_some() {
                return Page { address: target, ..page };
            }
            (address, method, body) = (target, Method::GET, String::new());
        }
        unreachable!("too many redirects, the last to {address}")
    }

    async fn get(&mut self, method: &Method, address: &Url, body: &str) -> Page {
        let host = host(address);
        let own = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let form = "application/x-www-form-urlencoded";
        let (status, headers, text) = match &self.proxy {
            Some((url, client)) if url.origin() == address.origin() => {
                let mut sent = vec![("cookie", cookies.as_str()), ("sec-fetch-site", "same-origin")];
                if *method == Method::POST {
                    sent.push(("content-type", form));
                }
                let path = &address[url::Position::BeforePath..url::Position::AfterQuery];
                let reply = client.send(method.clone(), path, &sent, Bytes::from(body.to_owned())).await;
                (reply.status, reply.headers, reply.body)
            }
            _ => {
                let request = Request::builder()
                    .method(method)
                    .uri(address.as_str())
                    .header(header::COOKIE, cookies)
                    .header(header::CONTENT_TYPE, form)
                    .body(Bytes::from(body.to_owned()));
                let reply = self.http.send(request.expect("a request")).await.expect("there is an answer");
                (reply.status, reply.headers, reply.body)
            }
        };
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie");
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            let key = (host.clone(), name.to_owned());
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        let html = String::from_utf8_lossy(&text).into_owned();
        Page { address: address.clone(), status, headers, html }
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Page {
    /// Where the first form goes, with its hidden fields.
    pub fn form(&self) -> Option<(Url, Vec<(String, String)>)> {
        let (_, form) = self.html.split_once("<form")?;
        let (form, _) = form.split_once("</form>")?;
        let action = attribute(form, "action")?;
        let hidden = form.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
        let fields = hidden.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        Some((self.address.join(&action).ok()?, fields.collect()))
    }

    /// A parameter of the address.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.address.query_pairs().find_map(|(known, value)| (known == name).then(|| value.into_owned()))
    }
}

fn host(address: &Url) -> String {
    address.host_str().unwrap_or_default().to_owned()
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let (_, value) = element.split_once(&format!(" {name}=\""))?;
    let (value, _) = value.split_once('"')?;
    Some(value.replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\""))
}
