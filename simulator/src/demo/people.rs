//! The people of a demonstration's console, made for one run: one who does the desk's work and sees
//! everything, and those who show that money needs two and administration a second factor.

use std::path::PathBuf;

use super::password::Password;
use super::process::{ProcessError, Recipe};
use super::programs::Program;
use super::run_folder::write_secret;
use super::system::Ground;

/// The person that somebody who looks on logs in as.
pub const DESK_USER: &str = "desk";

/// Name, what people call them, roles.
const PEOPLE: [(&str, &str, &[&str]); 5] = [
    (
        DESK_USER,
        "Desk, supervisor, auditor",
        &["station-operator", "supervisor", "auditor", "authority"],
    ),
    ("kim", "The next shift", &["station-operator"]),
    ("maker", "Finance, prepares", &["finance-maker"]),
    ("checker", "Finance, agrees", &["finance-checker"]),
    ("admin", "Administration", &["administrator"]),
];

/// Who may use the console.
#[derive(Debug)]
pub struct ConsolePeople {
    /// The people file.
    pub file: PathBuf,
    /// The key that has signed it, in public.
    pub public_key: String,
    /// What all of them log in with.
    pub password: Password,
    /// A command that prints the code of somebody's second factor; their name goes behind it.
    pub code_command: String,
}

impl ConsolePeople {
    /// Makes the key, and the people.
    ///
    /// # Errors
    /// When a step fails.
    pub fn make(ground: &Ground) -> Result<Self, ProcessError> {
        let run = &ground.run;
        let (file, key) = (run.secret("console.people"), run.secret("console-people.key"));
        let password = Password::random();
        let password_file = run.secret("desk.password");
        write_secret(&password_file, &format!("{}\n", password.reveal()))?;
        let people = || -> Recipe {
            let recipe = ground.programs.tool(Program::Console, run);
            recipe.arg("people").arg("--file").arg(&file).arg("--key").arg(&key)
        };
        // `people_key = "…"`, as the configuration takes it.
        let told = people().arg("init").run_to_end()?;
        let public_key = told.split('"').nth(1).unwrap_or_default().to_owned();
        for (name, full_name, roles) in PEOPLE {
            let add = people().arg("add").arg(name).arg("--full-name").arg(full_name);
            let add = add.arg("--password-file").arg(&password_file);
            roles.iter().fold(add, |add, role| add.arg("--role").arg(role)).run_to_end()?;
        }
        let code_command = format!(
            "{} people --file {} --key {} code",
            ground.programs.path(Program::Console).display(),
            file.display(),
            key.display()
        );
        Ok(Self { file, public_key, password, code_command })
    }
}
