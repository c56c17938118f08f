//! What a lane knows after it was killed, or after its loops were silent for a while.

use super::*;

/// A lane that was killed and found these loops when it came back.
fn restarted(lane: &Lane, inputs: Inputs) -> (Lane, Vec<String>) {
    let world = World::new();
    let mut next = Lane::new(lane.id.clone(), lane.role, lane.policy);
    let event = Event::Restored { inputs, saved: Some(lane.saved()) };
    let told = next.handle(event, Duration::from_secs(100), &world.known());
    (next, told.iter().map(describe).collect())
}

/// A lane with one vehicle that may go and has not yet.
fn lane_with_released_vehicle() -> Lane {
    let world = World::new();
    let mut lane = lane(LaneRole::Open);
    let now = Duration::from_secs(20);
    let _arrives = lane.handle(Event::PresenceRose, now, &world.known());
    let seen = Event::TagSeen { tag: tag("good"), at: Duration::from_secs(20) };
    let actions = lane.handle(seen, now, &world.known());
    let vehicle = actions.iter().find_map(|action| match action {
        Action::Record { vehicle, .. } => Some(*vehicle),
        _ => None,
    });
    lane.recorded(vehicle.unwrap(), 1);
    lane
}

#[test]
fn a_vehicle_that_was_released_before_a_crash_goes_on_and_is_not_charged_again() {
    let lane = lane_with_released_vehicle();
    let still_there = Inputs { presence: true, presence_rises: 1, ..Inputs::default() };
    let (mut next, told) = restarted(&lane, still_there);
    assert_eq!(told, ["Open"]);
    let world = World::new();
    let seen = Event::TagSeen { tag: tag("good"), at: Duration::from_secs(20) };
    assert_eq!(next.handle(seen, Duration::from_secs(101), &world.known()), []);
    assert_eq!(next.queue_len(), 1);
}

#[test]
fn a_vehicle_that_left_during_a_crash_does_not_let_the_next_one_through() {
    let lane = lane_with_released_vehicle();
    let left_and_another_came = Inputs {
        presence: true,
        presence_rises: 2,
        presence_falls: 1,
        safety_falls: 1,
        ..Inputs::default()
    };
    let (next, told) = restarted(&lane, left_and_another_came);
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(next.queue_len(), 1);
    assert!(matches!(next.queue[0].state, VehicleState::AwaitingTag { .. }));
}

#[test]
fn a_vehicle_that_was_decided_and_not_yet_written_is_decided_again_after_a_crash() {
    let world = World::new();
    let mut lane = lane(LaneRole::Open);
    let now = Duration::from_secs(20);
    let _arrives = lane.handle(Event::PresenceRose, now, &world.known());
    let _decided = lane.handle(
        Event::TagSeen { tag: tag("good"), at: Duration::from_secs(20) },
        now,
        &world.known(),
    );
    assert_eq!(lane.saved().vehicles, [SavedVehicle::Tagged { tag: tag("good") }]);
}

#[test]
fn loops_that_were_silent_for_a_moment_cost_no_vehicle_its_passage() {
    let world = World::new();
    let mut lane = lane_with_released_vehicle();
    let now = Duration::from_secs(21);
    assert_eq!(lane.handle(Event::FieldLost, now, &world.known()), []);
    let inputs = Inputs { presence: true, presence_rises: 1, ..Inputs::default() };
    let back = lane.handle(Event::Restored { inputs, saved: None }, now, &world.known());
    assert_eq!(back, [Action::Open]);
    let seen = Event::TagSeen { tag: tag("good"), at: Duration::from_secs(20) };
    assert_eq!(lane.handle(seen, now, &world.known()), []);
    assert_eq!(lane.queue_len(), 1);
    // Silent again, and meanwhile it has left.
    let _silent = lane.handle(Event::FieldLost, now, &world.known());
    let inputs =
        Inputs { presence_rises: 1, presence_falls: 1, safety_falls: 1, ..Inputs::default() };
    let back = lane.handle(Event::Restored { inputs, saved: None }, now, &world.known());
    assert_eq!(back, []);
    assert_eq!(lane.queue_len(), 0);
    let seen = Event::TagSeen { tag: tag("good"), at: Duration::from_secs(20) };
    assert_eq!(lane.handle(seen, now, &world.known()), []);
}

#[test]
fn calls_and_tags_dealt_with_are_remembered_over_a_restart() {
    let world = World::new();
    let mut lane = lane_with_released_vehicle();
    let now = Duration::from_secs(21);
    for event in [Event::PresenceFell, Event::SafetyRose, Event::SafetyFell, Event::PresenceRose] {
        let _gone_and_another_comes = lane.handle(event, now, &world.known());
    }
    let seen = Event::TagSeen { tag: tag("poor"), at: now };
    let told = lane.handle(seen, now, &world.known());
    assert_eq!(describe(&told[0]), "Call 1 NoMoney");
    let inputs = lane.inputs.unwrap();
    let (mut next, told) = restarted(&lane, inputs);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("Call ") && told[0] != "Call 1 NoMoney", "{told:?}");
    let later = Duration::from_secs(101);
    let seen = Event::TagSeen { tag: tag("good"), at: later };
    assert_eq!(next.handle(seen, later, &world.known()), []);
}

#[test]
fn one_that_left_undecided_while_the_controller_was_away_has_a_record() {
    let world = World::new();
    let mut lane = lane(LaneRole::Open);
    let _arrives = lane.handle(Event::PresenceRose, Duration::from_secs(20), &world.known());
    let gone =
        Inputs { presence_rises: 1, presence_falls: 1, safety_falls: 1, ..Inputs::default() };
    let (next, told) = restarted(&lane, gone);
    assert_eq!(told, ["Violation", "Record LeftUndecided Nothing after LeftUndecided"]);
    assert_eq!(next.queue_len(), 0);
}

#[test]
fn one_that_is_found_under_the_arm_undecided_has_a_record_and_is_gone_with_the_loop() {
    let world = World::new();
    let lane = lane_with_released_vehicle();
    // The one that might go went, another followed under the arm and is there still.
    let under_the_arm = Inputs {
        safety: true,
        presence_rises: 2,
        presence_falls: 2,
        safety_falls: 1,
        ..Inputs::default()
    };
    let (mut next, told) = restarted(&lane, under_the_arm);
    assert_eq!(told, ["Siren", "Violation", "Record LeftUndecided Nothing after LeftUndecided"]);
    let _gone = next.handle(Event::SafetyFell, Duration::from_secs(103), &world.known());
    assert_eq!(next.queue_len(), 0);
    // One that stands on the presence loop may stand there: somebody else is under the arm.
    let (next, told) =
        restarted(&lane, Inputs { presence: true, presence_falls: 1, ..under_the_arm });
    assert_eq!(told, Vec::<String>::new());
    assert!(matches!(next.queue[0].state, VehicleState::AwaitingTag { .. }));
}
