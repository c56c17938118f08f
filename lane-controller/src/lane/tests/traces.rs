//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::PresenceRose),
        4 => Just(Event::PresenceFell),
        4 => Just(Event::SafetyRose),
        4 => Just(Event::SafetyFell),
        6 => (0..NAMES.len()).prop_map(|name| Event::TagSeen { tag: tag(NAMES[name]), at: Duration::ZERO }),
        1 => Just(Event::ListChanged),
        1 => Just(Event::FieldLost),
        3 => (1_u64..6, 0..3).prop_map(|(call, verb)| {
            let mut world = World::new();
            let verb = ["by-plate", "cash", "turn-away"][usize::try_from(verb).unwrap()];
            event(&format!("{verb} {call}"), &mut world)
        }),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: nothing opens without its passage written before, and no
    /// vehicle has two passages that let it through.
    #[test]
    fn an_open_command_always_stands_behind_a_written_passage(
        events in prop::collection::vec((any_event(), 0_u64..4_000), 1..80)
    ) {
        let world = World::new();
        let mut lane = lane(LaneRole::Open);
        let mut now = Duration::from_secs(10);
        let mut written = std::collections::HashSet::new();
        let mut seq = 0;
        for (event, pause_ms) in events {
            now += Duration::from_millis(pause_ms);
            let mut actions = lane.handle_deadline(now, &world.known());
            actions.extend(lane.handle(told_at(event, now), now, &world.known()));
            for action in actions {
                match action {
                    Action::Record { vehicle, draft } => {
                        let goes = draft.decision.went_through();
                        prop_assert!(!goes || written.insert(vehicle), "vehicle {} goes twice", vehicle);
                        seq += 1;
                        lane.recorded(vehicle, seq);
                    }
                    Action::Open => {
                        let head = lane.queue.front().unwrap();
                        prop_assert!(written.contains(&head.number));
                        prop_assert!(matches!(head.state, VehicleState::Released { seq: Some(_), .. }), "{:?}", head);
                    }
                    _ => {}
                }
            }
            prop_assert!(lane.next_deadline().is_none_or(|at| at + Duration::from_secs(60) > now));
        }
    }
}
