//! A console of a test's own: process, people, and where it stands.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use broker_link::Link;
use console::command::{NewPerson, PeopleFiles, make_desk_key, make_key};
use console::{Role, Scope};
use domain::signature::PublicKey;
use domain::time::ClockConfig;
use domain::{Clock, Timestamp};
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::database::Role as BooksRole;
use simulator::demo::ports::free_port;
use simulator::demo::process::{Recipe, Supervised};
use simulator::demo::run_folder::RunFolder;
use tests::office::Office;
use tests::programs::{built, nats_server};

use super::browser::Browser;

/// How long a console may take to come up.
const CONSOLE_WITHIN: Duration = Duration::from_secs(15);

/// What everybody logs in with.
pub(crate) const PASSWORD: &str = "correct horse battery";

const ALL_BUT_ADMINISTRATION: &[Role] = &[
    Role::StationOperator,
    Role::Supervisor,
    Role::FinanceMaker,
    Role::FinanceChecker,
    Role::Auditor,
    Role::Authority,
    Role::Reviewer,
];

/// The people of a house: name, roles, scope.
const PEOPLE: [(&str, &[Role], &str); 18] = [
    ("lan", &[Role::StationOperator], "cienco4/ben-thuy"),
    ("kim", &[Role::StationOperator], "cienco4/ben-thuy"),
    ("binh", &[Role::Supervisor, Role::Auditor, Role::Authority], "*"),
    ("an", &[Role::FinanceMaker], "*"),
    ("chi", &[Role::FinanceChecker], "*"),
    ("ha", &[Role::FinanceMaker], "*"),
    ("mai", &[Role::FinanceChecker], "*"),
    // In a small office one person is both, and still agrees to nothing of their own.
    ("ly", &[Role::FinanceMaker, Role::FinanceChecker], "*"),
    ("dung", &[Role::Administrator], "*"),
    ("minh", &[Role::Administrator], "*"),
    ("tam", &[Role::Reviewer], "*"),
    ("tu", &[Role::Reviewer], "cienco4"),
    ("van", &[Role::Reviewer], "cienco4/ben-thuy"),
    // Of account 1001, as everybody who holds one in this house.
    ("hoa", &[Role::AccountHolder], "*"),
    // Those who see every page and every form, one for each screen: no code opens twice.
    ("mot", ALL_BUT_ADMINISTRATION, "*"),
    ("hai", ALL_BUT_ADMINISTRATION, "*"),
    ("ba", ALL_BUT_ADMINISTRATION, "*"),
    ("bon", ALL_BUT_ADMINISTRATION, "*"),
];

/// A console. Fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct House {
    console: Supervised,
    broker: Option<Broker>,
    url: String,
    people: PeopleFiles,
    /// What the lanes know of this desk.
    desk: PublicKey,
    run: RunFolder,
}

/// What makes a console one of the centre, or of a station.
enum Place {
    Station,
    /// With the address of the books for each of its connections.
    Centre {
        databases: [(&'static str, String); 3],
    },
}

impl House {
    /// A desk at Bến Thủy that knows nothing but its own broker. Blocks.
    pub(crate) fn at_station() -> Self {
        let run = RunFolder::temporary().unwrap();
        // Its credential reaches its own lanes, and no others.
        let own =
            BrokerUser::StationConsole("cienco4".parse().unwrap(), "ben-thuy".parse().unwrap());
        let users = [BrokerUser::Centre, own.clone()];
        let broker = Broker::start(&run, &nats_server(), &users).unwrap();
        let link = broker.link(&own);
        Self::open(
            run,
            link,
            Some(broker),
            &Place::Station,
            Clock::anchor(Clock::system().now(), 1.0),
        )
    }

    /// The centre's console over some books, at a time of the office's day. Blocks.
    pub(crate) fn at_centre(broker: &Broker, office: &Office, at: Timestamp) -> Self {
        let run = RunFolder::temporary().unwrap();
        let link = broker.link(&BrokerUser::Console);
        let databases = [
            ("database", office.url_for(BooksRole::Auditor)),
            ("settlement_database", office.url_for(BooksRole::Reconciliation)),
            ("registry_database", office.url_for(BooksRole::Registrar)),
        ];
        let place = Place::Centre { databases };
        Self::open(run, link, None, &place, Clock::anchor(at, 1.0))
    }

    fn open(
        run: RunFolder,
        link: Link,
        broker: Option<Broker>,
        place: &Place,
        clock: ClockConfig,
    ) -> Self {
        let people = PeopleFiles { file: run.join("people"), key: run.join("people.key") };
        let key = make_key(&people).unwrap();
        for (name, roles, scope) in PEOPLE {
            let (name, full_name) = (name.to_owned(), name.to_uppercase());
            let roles = roles.iter().copied().collect();
            let scope: Scope = scope.parse().unwrap();
            let account = (name == "hoa").then_some(1001);
            let new = NewPerson { name, full_name, roles, scope, account };
            people.add(new, Some(PASSWORD)).unwrap();
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()));
        let desk_file = run.join("desk.key");
        let told = make_desk_key(&desk_file).unwrap();
        let desk = PublicKey::try_from(told.split('"').nth(1).unwrap().to_owned()).unwrap();
        let files = (&people, &run.join("audit.log"), &desk_file);
        let text = config(files, &key, link, (place, clock), address);
        let config = run.join("console.toml");
        fs::write(&config, text).unwrap();
        let recipe = Recipe::new("console", &built("console"), &run);
        let console = Supervised::start(recipe.arg("--config").arg(&config).arg("run")).unwrap();
        console.wait_until(CONSOLE_WITHIN, |_| TcpStream::connect(address).is_ok()).unwrap();
        Self { console, broker, url: format!("http://{address}"), people, desk, run }
    }

    /// The station's own broker.
    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    /// What the lanes know of this desk.
    pub(crate) fn desk(&self) -> PublicKey {
        self.desk
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Where the centre has pictures of passages.
    pub(crate) fn pictures(&self) -> PathBuf {
        self.run.join("pictures")
    }

    /// The audit log.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.run.join("audit.log")
    }

    /// How often the console had to be started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.console.restarts()
    }

    /// Logs somebody in, in English, with their second factor where they need one, and hands back
    /// the code that it was.
    pub(crate) async fn log_in(&self, browser: &Browser, name: &str) -> Option<String> {
        browser.go(&self.url("/login?lang=en")).await;
        browser.write("#user", name).await;
        browser.write("#password", PASSWORD).await;
        browser.follow("main button").await;
        browser.sees(".who, #code").await;
        if browser.count("#code").await == 0 {
            return None;
        }
        let code = self.people.code(name).unwrap();
        browser.write("#code", &code).await;
        browser.follow("main button").await;
        browser.sees(".who").await;
        Some(code)
    }

    /// Logs whoever is there out.
    pub(crate) async fn log_out(&self, browser: &Browser) {
        browser.follow(".person button").await;
        browser.sees("#user").await;
    }

    /// Takes somebody out of the people file, as an administrator would.
    pub(crate) fn disable(&self, name: &str) {
        self.people.set_active(name, false).unwrap();
    }
}

fn config(
    (people, audit, desk): (&PeopleFiles, &PathBuf, &PathBuf),
    key: &str,
    link: Link,
    (place, clock): (&Place, ClockConfig),
    address: SocketAddr,
) -> String {
    let table = |value: toml::Value| value;
    let text = |value: &dyn std::fmt::Display| toml::Value::String(value.to_string());
    let section = |pairs: Vec<(&str, toml::Value)>| {
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        table(toml::Value::Table(pairs.collect()))
    };
    let mut access =
        vec![("people_file", text(&people.file.display())), ("people_key", text(&key))];
    if matches!(place, Place::Centre { .. }) {
        // Administrators change people from pages here.
        access.push(("people_key_file", text(&people.key.display())));
    }
    let mut whole = vec![
        ("clock", toml::Value::try_from(clock).unwrap()),
        ("broker", toml::Value::try_from(link).unwrap()),
        (
            "http",
            section(vec![("listen", text(&address)), ("behind_tls", toml::Value::Boolean(false))]),
        ),
        ("access", section(access)),
        ("audit", section(vec![("file", text(&audit.display()))])),
        ("desk", section(vec![("key_file", text(&desk.display()))])),
        // Everything is looked at twice here.
        (
            "review",
            section(vec![
                ("second_looks_percent", toml::Value::Integer(100)),
                ("pictures_folder", text(&people.file.with_file_name("pictures").display())),
            ]),
        ),
    ];
    match place {
        Place::Station => whole.push((
            "station",
            section(vec![
                ("operator", text(&"cienco4")),
                ("station", text(&"ben-thuy")),
                ("operator_name", text(&"Cienco4")),
                ("station_name", text(&"Bến Thủy")),
                ("zone", text(&"Asia/Ho_Chi_Minh")),
                ("currency", text(&"VND")),
            ]),
        )),
        Place::Centre { databases } => {
            for (name, url) in databases {
                whole.push((name, section(vec![("url", text(url))])));
            }
        }
    }
    toml::to_string(&section(whole)).unwrap()
}
