//! Which settings a Mercury reader can have.

use super::Mercury;
use crate::protocol::Protocol as _;
use crate::session::ReaderSettings;

#[test]
fn a_setting_that_no_mercury_reader_can_have_is_refused_by_name() {
    let refused = |settings: ReaderSettings| Mercury.session(&settings).unwrap_err().to_string();
    let settings = ReaderSettings::default;
    assert!(Mercury.session(&settings()).is_ok());
    assert!(
        refused(ReaderSettings { baud_wanted: Some(12), ..settings() })
            .starts_with("mercury has no baud rate 12; it can have 115200, 9600")
    );
    assert_eq!(
        refused(ReaderSettings { antennas: vec![1, 17], ..settings() }),
        "mercury has no antenna 17; it can have 1 to 16"
    );
    assert!(
        refused(ReaderSettings { model: Some("m9".to_owned()), ..settings() })
            .starts_with("mercury has no model m9")
    );
}
