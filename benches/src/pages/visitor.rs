//! A console with two people, somebody who is logged in to it, and a caller of the API.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use clearing_house::api::keys::Token;
use console::command::{NewPerson, PeopleFiles, make_key};
use console::{Role, Scope};
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::ports::free_port;
use simulator::demo::run_folder::RunFolder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::fill::ACCOUNT;
use crate::Failed;

const PASSWORD: &str = "correct horse battery";

/// A console over some books.
pub(super) struct House {
    address: SocketAddr,
    people: PeopleFiles,
}

/// A console, and what serves it.
pub(super) fn house(
    run: &RunFolder,
    broker: &Broker,
    database_url: &str,
) -> Result<(House, impl Future<Output = ()> + use<>), Failed> {
    let people = PeopleFiles { file: run.join("people"), key: run.join("people.key") };
    let key = make_key(&people)?;
    let staff = [
        Role::Supervisor,
        Role::FinanceMaker,
        Role::FinanceChecker,
        Role::Auditor,
        Role::Authority,
    ];
    for (name, roles, account) in
        [("staff", staff.as_slice(), None), ("holder", &[Role::AccountHolder], Some(ACCOUNT))]
    {
        let scope: Scope = "*".parse()?;
        let (name, full_name, roles) = (name.to_owned(), name.to_owned(), roles.iter().copied());
        let new = NewPerson { name, full_name, roles: roles.collect(), scope, account };
        people.add(new, Some(PASSWORD))?;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut link = toml::Table::new();
    let of_console = broker.link(&BrokerUser::Console);
    link.insert("broker".to_owned(), toml::Value::try_from(of_console)?);
    let text = format!(
        "database = {{ url = '{database_url}' }}\n\
         http = {{ listen = '{address}', behind_tls = false }}\n\
         access = {{ people_file = '{}', people_key = '{key}' }}\naudit = {{ file = '{}' }}\n{link}",
        people.file.display(),
        run.join("audit.log").display()
    );
    let config: console::config::Config = toml::from_str(&text)?;
    let served = async move {
        if let Err(error) = console::run(config, std::future::pending()).await {
            let told = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("the console ended: {error}\n"),
            );
            drop(told);
        }
    };
    Ok((House { address, people }, served))
}

/// What came back.
struct Answer {
    status: u16,
    cookies: Vec<String>,
    body: String,
}

/// Asks, and reads to the last byte. One connection each, as short as HTTP can be said.
async fn ask(address: SocketAddr, head: &str, body: &str) -> Result<Answer, Failed> {
    let mut line = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "{head}Host: {address}\r\nOrigin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    line.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    line.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    let cookies = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, value)| value.split(';').next().map(ToOwned::to_owned))
        .collect();
    Ok(Answer { status, cookies, body: body.to_owned() })
}

/// Somebody who is logged in.
pub(super) struct Visitor {
    address: SocketAddr,
    cookies: Vec<String>,
}

impl Visitor {
    /// Logs in, with a second factor where there is one. Waits for the console to come up.
    pub(super) async fn log_in(house: &House, name: &str) -> Result<Self, Failed> {
        let mut visitor = Self { address: house.address, cookies: Vec::new() };
        for _ in 0..200 {
            if TcpStream::connect(house.address).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        visitor.request("GET", "/login", "").await?;
        let form = format!("user={name}&password={}", PASSWORD.replace(' ', "+"));
        visitor.request("POST", "/login", &form).await?;
        if let Ok(code) = house.people.code(name) {
            visitor.request("POST", "/login/code", &format!("code={code}")).await?;
        }
        Ok(visitor)
    }

    async fn request(&mut self, method: &str, path: &str, form: &str) -> Result<Answer, Failed> {
        let answer = self.plain(method, path, form).await?;
        for cookie in &answer.cookies {
            let name = cookie.split('=').next().unwrap_or_default().to_owned();
            self.cookies.retain(|one| one.split('=').next() != Some(name.as_str()));
            self.cookies.push(cookie.clone());
        }
        Ok(answer)
    }

    async fn plain(&self, method: &str, path: &str, form: &str) -> Result<Answer, Failed> {
        let head = format!("{method} {path} HTTP/1.1\r\nCookie: {}\r\n", self.cookies.join("; "));
        ask(self.address, &head, form).await
    }

    /// Looks at a page.
    pub(super) async fn look(&self, path: &str) -> Result<(), Failed> {
        let answer = self.plain("GET", path, "").await?;
        if answer.status == 200 { Ok(()) } else { Err(format!("status {}", answer.status).into()) }
    }

    /// Where a page's next one is.
    pub(super) async fn older(&self, path: &str) -> Result<String, Failed> {
        let page = self.plain("GET", path, "").await?.body;
        let link =
            page.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        Ok(link.ok_or("there is no next page")?.replace("&amp;", "&"))
    }

    /// Sends a form.
    pub(super) async fn send(&self, path: &str, form: &str) -> Result<(), Failed> {
        let page = self.plain("GET", "/password", "").await?.body;
        let token = page.split("name=\"csrf\" value=\"").nth(1);
        let token = token.and_then(|rest| rest.split('"').next()).ok_or("no token in a form")?;
        let answer = self.plain("POST", path, &format!("csrf={token}&{form}")).await?;
        if answer.status == 200 { Ok(()) } else { Err(format!("status {}", answer.status).into()) }
    }
}

/// Somebody with a key.
pub(super) struct ApiCaller {
    address: SocketAddr,
    token: Token,
}

impl ApiCaller {
    pub(super) async fn serve(router: Router, token: Token) -> Result<Self, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await.ok() });
        Ok(Self { address, token })
    }

    pub(super) async fn ask(&self, path: &str) -> Result<(), Failed> {
        let bearer = self.token.as_str();
        let head = format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\n");
        let answer = ask(self.address, &head, "").await?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(format!("status {}: {}", answer.status, answer.body).into())
        }
    }
}
