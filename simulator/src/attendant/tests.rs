use std::cell::Cell;
use std::future;

use domain::wire::v1::Verb;

use super::*;

fn done() -> Sent {
    Sent::Answered(CommandAnswer::Done { passage: "vec/ql45/e01:1:1".parse().unwrap() })
}

fn refused() -> Sent {
    Sent::Answered(CommandAnswer::Refused { why: "no such call".to_owned() })
}

/// Lets the lane reply one after the other; gives the outcome and the commands it heard.
async fn check(verdict: Verdict, replies: Vec<Sent>, outcome: Outcome) -> Vec<Command> {
    let clock = Clock::of_run(Some(Clock::anchor("2026-11-21T05:00:00Z".parse().unwrap(), 50.0)));
    let command = Command {
        v: 1,
        id: "e01-1-1".to_owned(),
        lane: "vec/ql45/e01".parse().unwrap(),
        call: 1,
        attendant: "simulated-ql45".to_owned(),
        second: None,
        issued_at: clock.now(),
        expires_at: clock.now(),
        verb: Verb::TurnAway { reason: v1::ReasonRecord::NoMeansOfPayment },
    };
    let mut heard = Vec::new();
    let mut left = replies.clone().into_iter();
    // A vehicle that nobody answers for drives off in the end.
    let left_to_hear = Cell::new(replies.len());
    let still_there = || left_to_hear.get() > 0;
    let send = |command: Command, _timeout| {
        heard.push(command);
        left_to_hear.set(left_to_hear.get() - 1);
        future::ready(left.next().expect("another send than the lane replies to"))
    };
    assert_eq!(
        carry_out(command, verdict, &clock, send, still_there).await,
        outcome,
        "{replies:?}"
    );
    assert_eq!(heard.len(), replies.len());
    heard
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_with_the_same_command() {
    use Outcome::{Done, NotDone, Unknown};
    use Sent::{Lost, Nobody};
    let through = Verdict::LetThrough;
    check(through, vec![done()], Done).await;
    check(through, vec![refused()], NotDone).await;
    check(through, vec![Nobody], NotDone).await;
    check(through, vec![Lost, Lost, Lost], Unknown).await;
    check(through, vec![Lost, Nobody], Unknown).await;
    check(through, vec![Lost, refused()], Unknown).await;
    check(Verdict::TurnedAway, vec![refused()], NotDone).await;
    check(Verdict::TurnedAway, vec![Lost, refused()], Done).await;
    check(Verdict::TurnedAway, vec![Lost, Nobody, Nobody, Lost, refused()], Done).await;
    let heard = check(through, vec![Lost, Lost, done()], Done).await;
    assert!(heard.iter().all(|command| command.id == heard[0].id));
}

#[tokio::test]
async fn a_command_is_good_for_two_real_seconds_however_fast_time_runs() {
    let heard = check(Verdict::LetThrough, vec![done()], Outcome::Done).await;
    let valid = heard[0].expires_at.duration_since(heard[0].issued_at);
    assert_eq!(valid.as_secs(), 100, "of run time, at fifty times life");
}
