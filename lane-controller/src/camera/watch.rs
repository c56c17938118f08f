//! Which cameras are heard, and which have been silent for too long. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A camera under watch.
#[derive(Debug, Clone, Copy)]
struct Watched {
    /// Nothing where it may be silent for ever.
    silent_after: Option<Duration>,
    heard_at: Option<Instant>,
    works: Option<bool>,
}

/// The watch over a station's cameras.
#[derive(Debug, Clone, Default)]
pub struct CameraWatch(BTreeMap<String, Watched>);

impl CameraWatch {
    /// Watches a camera, which counts as heard `now`. One without a limit is believed to work from
    /// the beginning.
    pub fn add(&mut self, name: &str, silent_after: Option<Duration>, now: Instant) {
        let watched = Watched { silent_after, heard_at: Some(now), works: None };
        self.0.insert(name.to_owned(), watched);
    }

    /// A camera has posted; tells whether that is news: it works, for the first time or again.
    pub fn hears(&mut self, name: &str, now: Instant) -> bool {
        self.0.get_mut(name).is_some_and(|camera| {
            camera.heard_at = Some(now);
            camera.works.replace(true) != Some(true)
        })
    }

    /// The cameras that nothing was said of before, by what is known of them by `now`: lost, or
    /// working because nobody expects them to say so.
    pub fn look(&mut self, now: Instant) -> Vec<(String, bool)> {
        let mut news = Vec::new();
        for (name, camera) in &mut self.0 {
            let works = match (camera.silent_after, camera.heard_at) {
                (Some(limit), Some(at)) if now.saturating_duration_since(at) >= limit => false,
                (None, _) => true,
                (Some(_), _) => continue,
            };
            if camera.works.replace(works) != Some(works) {
                news.push((name.clone(), works));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    #[test]
    fn a_camera_is_lost_once_after_its_silence_and_found_by_its_next_post() {
        let start = Clock::system().real();
        let mut watch = CameraWatch::default();
        watch.add("front", Some(LIMIT), start);
        assert_eq!(watch.look(start), []);
        assert!(watch.hears("front", start + LIMIT / 2), "the first post is news");
        assert!(!watch.hears("front", start + LIMIT), "the second is none");
        assert_eq!(watch.look(start + LIMIT), []);
        assert_eq!(watch.look(start + LIMIT * 2), [("front".to_owned(), false)]);
        assert_eq!(watch.look(start + LIMIT * 3), [], "told once");
        assert!(watch.hears("front", start + LIMIT * 4));
    }

    #[test]
    fn a_camera_that_may_be_silent_is_never_lost() {
        let start = Clock::system().real();
        let mut watch = CameraWatch::default();
        watch.add("quiet", None, start);
        assert_eq!(watch.look(start), [("quiet".to_owned(), true)]);
        assert_eq!(watch.look(start + LIMIT * 100), []);
        assert!(!watch.hears("nobody", start), "who is not watched is not told of");
    }
}
