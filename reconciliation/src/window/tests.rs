use super::*;

/// Every way from a state, as a person would list them.
fn ways() -> Vec<String> {
    let mut ways = Vec::new();
    for state in State::ALL {
        for event in Event::ALL {
            if let Ok(after) = state.after(event) {
                ways.push(format!("{state} -{}-> {after}", event.doing()));
            }
        }
    }
    ways
}

#[test]
fn a_window_goes_one_way_and_back_only_when_a_bank_returns_the_money() {
    assert_eq!(
        ways(),
        [
            "open -sealed-> closing",
            "closing -stated-> closed",
            "closed -approved-> approved",
            "approved -paid-> paid",
            "paid -paid back-> approved",
            "paid -matched-> matched",
            "matched -paid back-> approved",
            "matched -paid back in part-> paid",
        ]
    );
}

#[test]
fn a_misplaced_event_names_state_and_event() {
    let error = State::Closed.after(Event::Pay).unwrap_err();
    assert_eq!(error.to_string(), "a window that is closed cannot be paid");
}

#[test]
fn a_state_is_read_by_its_name_and_by_nothing_else() {
    for state in State::ALL {
        assert_eq!(state.name().parse(), Ok(state));
    }
    assert!("reopened".parse::<State>().is_err());
}
