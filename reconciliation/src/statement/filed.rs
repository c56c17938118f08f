//! The statements' folder: each paper as JSON, PDF, workbook, text and CSV, under its operator and day.
//!
//! The database is the record; the files are copies of it for people, made again when one is gone.

use std::io;
use std::path::{Path, PathBuf};

use domain::{BusinessDate, OperatorId};

use super::{FormError, Paper};
use crate::papers;

/// In which form a paper is filed or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The canonical text with digest and signature.
    Json,
    /// What a clerk files.
    Text,
    /// What a program for tables reads.
    Csv,
    /// What is printed and archived.
    Pdf,
    /// What a spreadsheet opens.
    Xlsx,
}

impl Form {
    const ALL: [Self; 5] = [Self::Json, Self::Text, Self::Csv, Self::Pdf, Self::Xlsx];

    const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "txt",
            Self::Csv => "csv",
            Self::Pdf => "pdf",
            Self::Xlsx => "xlsx",
        }
    }
}

/// Why a paper could not be filed.
#[derive(Debug, thiserror::Error)]
pub enum FilingError {
    /// A paper could not be put into its form.
    #[error("write the statement of {operator} for {day}")]
    Form {
        /// The operator.
        operator: OperatorId,
        /// The day.
        day: BusinessDate,
        /// What went wrong.
        #[source]
        source: FormError,
    },
    /// A file could not be written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Where a paper is filed.
#[must_use]
pub fn path_of(folder: &Path, operator: &OperatorId, day: BusinessDate, form: Form) -> PathBuf {
    folder.join(format!("{operator}-{day}.{}", form.extension()))
}

/// A paper in a form.
///
/// # Errors
/// When the stored text is no statement, or a writer fails.
pub fn form_of(paper: &Paper, form: Form) -> Result<Vec<u8>, FormError> {
    match form {
        Form::Json => Ok(paper.to_json().into_bytes()),
        Form::Text => paper.to_text().map(String::into_bytes).map_err(FormError::Text),
        Form::Csv => paper.to_csv().map(String::into_bytes),
        Form::Pdf => Ok(papers::pdf(paper)?),
        Form::Xlsx => Ok(papers::xlsx(paper)?),
    }
}

/// Files a paper in every form that is not there yet; a file appears whole or not at all.
///
/// # Errors
/// When a form or a file cannot be written.
pub fn file(
    folder: &Path,
    operator: &OperatorId,
    day: BusinessDate,
    paper: &Paper,
) -> Result<(), FilingError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FilingError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for form in Form::ALL {
        let path = path_of(folder, operator, day, form);
        if path.try_exists().map_err(failed(&path))? {
            continue;
        }
        let text = form_of(paper, form).map_err(|source| FilingError::Form {
            operator: operator.clone(),
            day,
            source,
        })?;
        // Its own name for each process, so that two closes at once never write into one file.
        let draft = path.with_extension(format!("{}.{}", form.extension(), std::process::id()));
        std::fs::write(&draft, text).map_err(failed(&draft))?;
        std::fs::rename(&draft, &path).map_err(failed(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::signature::SecretKey;

    use super::*;
    use crate::statement::tests::{header, statement};

    #[test]
    fn a_paper_is_filed_in_every_form_and_a_lost_file_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("statements");
        let paper = Paper::try_sign(&statement(), &SecretKey::from_seed(&[7; 32])).unwrap();
        let file_it = || file(&folder, &header().operator, header().day, &paper).unwrap();
        file_it();
        std::fs::remove_file(folder.join("cienco4-2026-11-21.txt")).unwrap();
        std::fs::write(folder.join("cienco4-2026-11-21.csv"), "noted by a clerk").unwrap();
        file_it();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("cienco4-2026-11-21.json"), paper.to_json());
        assert_eq!(read("cienco4-2026-11-21.txt"), paper.to_text().unwrap());
        assert_eq!(read("cienco4-2026-11-21.csv"), "noted by a clerk", "what is there stays");
        assert!(folder.join("cienco4-2026-11-21.pdf").is_file());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5, "no draft is left");
    }
}
