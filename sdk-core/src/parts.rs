//! Which parts of packfiles are read before the host asks for them.
//!
//! A restore asks for a few kilobytes of a packfile at a time, each in a call of its own, and mostly in the order in which they lie
//! there. With a store that is far away each would be a way there and back. While parts come in order, a larger part is therefore
//! read, a window, as large as what was taken there so far, and what the host asks for next is answered out of it. What lies between
//! two parts is read along with them, so that windows are read only where that stays a small multiple of what the host asks for.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::queue::{self, Receiver, Sender};
use crate::{Object, Range, Resource};

/// The largest part that is answered out of a window: with larger ones a call each is no loss.
const SMALL: u32 = 256 << 10;

/// How many parts have to be asked for in order.
const RUN: usize = 4;

/// What the host leaves out between two parts that are in order, at the most.
const GAP: u64 = 64 << 10;

/// How many times what the host asks for is read at the most.
const MOST: u64 = 4;

/// The largest window.
const LARGEST: u64 = 1 << 20;

/// How many windows there are at the most.
const WINDOWS: usize = 8;

/// At how many places a host may read in order by turns.
const PLACES: usize = 16;

/// The parts of a store's packfiles: where the host reads in order, and what was read ahead of it there.
#[derive(Default)]
pub(crate) struct Parts {
    /// The one that was used last comes last.
    places: VecDeque<Place>,
    /// The one that was used last comes last.
    windows: VecDeque<Window>,
    windows_begun: u64,
}

/// Where the host reads.
struct Place {
    object: Object,
    /// Where the first part began, and the last one ended.
    begin: u64,
    end: u64,
    /// How many parts it has asked for in order.
    parts: usize,
    /// How many bytes it has asked for, in whatever order, and how many were read for that.
    wanted: u64,
    read: u64,
}

struct Window {
    id: u64,
    object: Object,
    range: Range,
    read: State,
    /// The object was changed: only who waits already gets something of it.
    stale: bool,
}

enum State {
    Reading(Vec<Waiting>),
    Read(Bytes),
}

/// Who waits for a window.
struct Waiting {
    range: Range,
    out: Sender<Bytes>,
}

/// Where a part comes from.
pub(crate) enum Answer {
    /// It was read already.
    Here(Bytes),
    /// It is being read.
    Reading(Receiver<Bytes>),
    /// Nobody has begun to read it.
    Nowhere,
}

/// A window that is to be read now. [`Parts::ended`] wants to know what came of it.
#[derive(Debug, PartialEq)]
pub(crate) struct ToRead {
    pub(crate) id: u64,
    pub(crate) object: Object,
    pub(crate) range: Range,
}

/// Who has waited for a window: what is in it for him, or nothing where he has to read for himself.
pub(crate) struct Waited {
    pub(crate) object: Object,
    pub(crate) range: Range,
    pub(crate) out: Sender<Bytes>,
    pub(crate) part: Option<Bytes>,
}

impl Parts {
    /// The host asks for a part. The second is a window that is to be read for it.
    pub(crate) fn ask(&mut self, object: Object, range: Range) -> (Answer, Option<ToRead>) {
        if object.kind != Resource::Packfile || !(1..=SMALL).contains(&range.length) || range.offset > u64::MAX - LARGEST {
            return (Answer::Nowhere, None);
        }
        let window = self.follow(object, range);
        if let Some(at) = self.windows.iter().position(|window| window.is_for(object, range))
            && let Some(mut window) = self.windows.remove(at)
        {
            let answer = window.ask(range);
            self.windows.push_back(window);
            return (answer, None);
        }
        let window = window.filter(|_| self.make_room());
        if let Some(place) = self.places.back_mut() {
            place.read += u64::from(window.unwrap_or(range.length));
        }
        let Some(length) = window else { return (Answer::Nowhere, None) };
        let to_read = ToRead { id: self.windows_begun, object, range: Range { offset: range.offset, length } };
        self.windows_begun += 1;
        let read = State::Reading(Vec::new());
        let mut window = Window { id: to_read.id, object, range: to_read.range, read, stale: false };
        let answer = window.ask(range);
        self.windows.push_back(window);
        (answer, Some(to_read))
    }

    /// Takes note of where the host reads: that place comes last then. Gives how large a window may begin with this part.
    fn follow(&mut self, object: Object, range: Range) -> Option<u32> {
        let near = |place: &Place| place.object == object && place.end.abs_diff(range.offset) <= GAP;
        let at = self.places.iter().position(near);
        let place = at.and_then(|at| self.places.remove(at));
        let mut place = place.unwrap_or(Place { object, begin: range.offset, end: range.offset, parts: 0, wanted: 0, read: 0 });
        let window = place.follow(range);
        self.places.push_back(place);
        if self.places.len() > PLACES {
            self.places.pop_front();
        }
        window
    }

    /// Whether one more window may be read; lets go of the one that was used longest ago where need be.
    fn make_room(&mut self) -> bool {
        if self.windows.len() < WINDOWS {
            return true;
        }
        let oldest = self.windows.iter().position(|window| matches!(window.read, State::Read(_)));
        oldest.and_then(|oldest| self.windows.remove(oldest)).is_some()
    }

    /// A window was read, up to where the object ends, or could not be. Gives back who has waited for it.
    #[must_use]
    pub(crate) fn ended(&mut self, id: u64, bytes: Option<Bytes>) -> Vec<Waited> {
        let Some(at) = self.windows.iter().position(|window| window.id == id) else { return Vec::new() };
        let window = &mut self.windows[at];
        let (object, of_use) = (window.object, bytes.is_some() && !window.stale);
        // It ends where the object does: what goes past that is for the author's code to answer.
        let bytes = bytes.unwrap_or_default();
        window.range.length = bytes.len() as u32;
        let State::Reading(waiting) = std::mem::replace(&mut window.read, State::Read(bytes)) else { return Vec::new() };
        let waited = waiting.into_iter().map(|Waiting { range, out }| Waited { object, range, out, part: window.part(range) });
        let waited = waited.collect();
        if !of_use {
            self.windows.remove(at);
            // In order again first.
            self.places.retain(|place| place.object != object);
        }
        waited
    }

    /// An object is put, or deleted.
    pub(crate) fn forget(&mut self, object: Object) {
        let is_it = |other: Object| other.kind == object.kind && other.mac == object.mac;
        self.places.retain(|place| !is_it(place.object));
        self.windows.retain_mut(|window| {
            window.stale |= is_it(window.object);
            !(window.stale && matches!(window.read, State::Read(_)))
        });
    }
}

impl Place {
    /// As [`Parts::follow`].
    fn follow(&mut self, range: Range) -> Option<u32> {
        self.wanted += u64::from(range.length);
        // A host that asks for several at once may swap them, and one that looks ahead comes back for what it has passed.
        if range.offset < self.end {
            return None;
        }
        self.end = range.offset + u64::from(range.length);
        self.parts += 1;
        let length = self.wanted.min(LARGEST);
        // Whatever it leaves out would be in the windows.
        let read = self.read.max(self.end - self.begin);
        (self.parts >= RUN && read + length <= MOST * self.wanted).then_some(length as u32)
    }
}

impl Window {
    fn is_for(&self, object: Object, range: Range) -> bool {
        self.object == object && !self.stale && self.place_of(range).is_some()
    }

    /// Where a part lies in it, if all of it does.
    fn place_of(&self, range: Range) -> Option<std::ops::Range<usize>> {
        let begin = range.offset.checked_sub(self.range.offset)?;
        let end = begin + u64::from(range.length);
        (end <= self.range.length.into()).then_some(begin as usize..end as usize)
    }

    /// A copy of a part, so that a host that is slow to take it does not hold the whole window.
    fn part(&self, range: Range) -> Option<Bytes> {
        match &self.read {
            State::Read(bytes) => Some(Bytes::copy_from_slice(&bytes[self.place_of(range)?])),
            State::Reading(_) => None,
        }
    }

    fn ask(&mut self, range: Range) -> Answer {
        if let Some(part) = self.part(range) {
            return Answer::Here(part);
        }
        let State::Reading(waiting) = &mut self.read else { return Answer::Nowhere };
        let (out, receiver) = queue::queue(range.length as usize);
        waiting.push(Waiting { range, out });
        Answer::Reading(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mac;

    fn packfile(n: u8) -> Object {
        Object::new(Resource::Packfile, Mac([n; Mac::LEN]))
    }

    fn range(offset: u64, length: u32) -> Range {
        Range { offset, length }
    }

    /// The host has asked for as many parts of 1000 bytes in order, with 100 between them, as it takes; gives the window.
    fn in_order(parts: &mut Parts, object: Object) -> ToRead {
        for n in 0..RUN as u64 - 1 {
            assert!(matches!(parts.ask(object, range(n * 1100, 1000)), (Answer::Nowhere, None)), "{n}");
        }
        let (answer, window) = parts.ask(object, range(3300, 1000));
        assert!(matches!(answer, Answer::Reading(_)));
        window.unwrap()
    }

    fn here(answer: (Answer, Option<ToRead>)) -> Bytes {
        let (Answer::Here(bytes), None) = answer else { panic!("it is not there") };
        bytes
    }

    fn content(range: Range) -> Bytes {
        (range.offset..range.offset + u64::from(range.length)).map(|at| at as u8).collect()
    }

    /// A host whose windows are read at once: how many calls of the author's code its parts took, and what was read for them.
    #[derive(Default)]
    struct Host {
        parts: Parts,
        calls: u64,
        read: u64,
        wanted: u64,
    }

    impl Host {
        fn ask(&mut self, object: Object, part: Range) {
            self.wanted += u64::from(part.length);
            match self.parts.ask(object, part) {
                (_, Some(window)) => {
                    self.took(window.range);
                    let waited = self.parts.ended(window.id, Some(content(window.range)));
                    assert_eq!(waited[0].part.as_ref().unwrap(), &content(part));
                }
                (Answer::Here(bytes), None) => assert_eq!(bytes, content(part)),
                (Answer::Nowhere, None) => self.took(part),
                (Answer::Reading(_), None) => panic!("windows are read at once"),
            }
            assert!(self.read <= MOST * self.wanted, "{} read for {}", self.read, self.wanted);
        }

        fn took(&mut self, range: Range) {
            self.calls += 1;
            self.read += u64::from(range.length);
        }
    }

    #[test]
    fn parts_in_order_are_answered_out_of_a_window_as_large_as_what_was_taken() {
        let mut parts = Parts::default();
        let window = in_order(&mut parts, packfile(1));
        assert_eq!((window.object, window.range), (packfile(1), range(3300, 4000)));
        assert!(matches!(parts.ask(packfile(1), range(4400, 1000)), (Answer::Reading(_), None)));
        let waited = parts.ended(window.id, Some(content(window.range)));
        let got: Vec<_> = waited.iter().map(|waited| waited.part.clone().unwrap()).collect();
        assert_eq!(got, [content(range(3300, 1000)), content(range(4400, 1000))]);
        assert_eq!(here(parts.ask(packfile(1), range(5500, 1000))), content(range(5500, 1000)));
        // The next one goes past it, and begins a window that is larger.
        let (_, next) = parts.ask(packfile(1), range(6600, 1000));
        assert_eq!(next.unwrap().range, range(6600, 7000));
    }

    #[test]
    fn a_host_that_looks_ahead_and_comes_back_is_answered_out_of_windows() {
        let mut host = Host::default();
        for n in 0..1000 {
            host.ask(packfile(1), range((n + 2) * 4300, 190));
            host.ask(packfile(1), range(n * 4300 + 190, 4110));
        }
        assert!(host.calls < 50 && host.read < host.wanted + LARGEST, "{} {}", host.calls, host.read);
    }

    #[test]
    fn parts_that_are_far_smaller_than_what_lies_between_them_are_asked_for_one_by_one() {
        let mut host = Host::default();
        for n in 0..1000 {
            host.ask(packfile(1), range(n * (GAP + 4096), 4096));
        }
        assert_eq!((host.calls, host.read), (1000, host.wanted));
    }

    #[test]
    fn as_much_between_two_parts_as_they_have_is_read_along_with_them() {
        let mut host = Host::default();
        for n in 0..1000 {
            host.ask(packfile(1), range(n * 8192, 4096));
        }
        assert!(host.calls < 50, "{}", host.calls);
    }

    /// [`Host::ask`] looks at the bound after each part.
    #[test]
    fn whatever_a_host_asks_for_no_more_than_a_small_multiple_is_read() {
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..100 {
            let mut host = Host::default();
            let mut places = vec![0; 1 + random(24) as usize];
            let (step, length) = (1 + random(3 * GAP), 1 + random(8192));
            for _ in 0..500 {
                let n = random(places.len() as u64) as usize;
                places[n] += random(step);
                let back = random(1 + places[n].min(step));
                host.ask(packfile(n as u8 / 2), range(places[n] - back, 1 + random(length) as u32));
            }
        }
    }

    #[test]
    fn places_that_let_go_of_each_others_windows_do_not_have_them_read_again_and_again() {
        let mut host = Host::default();
        for n in 0..500 {
            (0..12).for_each(|object| host.ask(packfile(object), range(n * 1000, 1000)));
        }
        assert!(host.calls < 12 * 250, "{}", host.calls);
    }

    #[test]
    fn parts_in_any_other_order_are_asked_for_one_by_one() {
        let mut parts = Parts::default();
        for n in 0..100u64 {
            for offset in [1_000_000 - n * 1100, (1 + n) * 1_000_000] {
                assert!(matches!(parts.ask(packfile(1), range(offset, 1000)), (Answer::Nowhere, None)), "{n} {offset}");
            }
            assert!(matches!(parts.ask(packfile(n as u8), range(n, 1000)), (Answer::Nowhere, None)));
        }
    }

    #[test]
    fn several_places_are_read_in_order_by_turns_and_windows_stay_few() {
        let mut parts = Parts::default();
        let mut offsets = [0; 12];
        for _ in 0..100 {
            for (n, offset) in offsets.iter_mut().enumerate() {
                if let (_, Some(window)) = parts.ask(packfile(n as u8), range(*offset, 1000)) {
                    assert!(parts.ended(window.id, Some(content(window.range))).iter().all(|waited| waited.part.is_some()));
                }
                *offset += 1000;
                assert!(parts.windows.len() <= WINDOWS && parts.places.len() <= PLACES);
            }
        }
        assert_eq!(parts.windows.len(), WINDOWS);
    }

    #[test]
    fn a_window_that_could_not_be_read_leaves_everything_to_the_author() {
        let mut parts = Parts::default();
        let window = in_order(&mut parts, packfile(1));
        let waited = parts.ended(window.id, None);
        assert!(waited.len() == 1 && waited[0].part.is_none() && waited[0].range == range(3300, 1000));
        assert!(matches!(parts.ask(packfile(1), range(4400, 1000)), (Answer::Nowhere, None)));
    }

    #[test]
    fn what_goes_past_the_end_of_the_object_is_left_to_the_author() {
        let mut parts = Parts::default();
        let window = in_order(&mut parts, packfile(1));
        assert!(matches!(parts.ask(packfile(1), range(5500, 1000)), (Answer::Reading(_), None)));
        let waited = parts.ended(window.id, Some(content(range(3300, 3000))));
        assert_eq!(waited.iter().map(|waited| waited.part.is_some()).collect::<Vec<_>>(), [true, false]);
        assert_eq!(here(parts.ask(packfile(1), range(4400, 1000))), content(range(4400, 1000)));
        assert!(!matches!(parts.ask(packfile(1), range(5500, 1000)), (Answer::Here(_), _)));
    }

    #[test]
    fn nothing_of_an_object_that_was_deleted_or_put_is_kept() {
        let mut parts = Parts::default();
        let window = in_order(&mut parts, packfile(1));
        let other = in_order(&mut parts, packfile(2));
        assert_eq!(parts.ended(other.id, Some(content(other.range))).len(), 1);
        // One that is being read serves who waits for it already, and nobody else.
        parts.forget(packfile(1));
        assert!(matches!(parts.ask(packfile(1), range(4400, 1000)), (Answer::Nowhere, None)));
        assert!(parts.ended(window.id, Some(content(window.range)))[0].part.is_some());
        assert!(matches!(parts.ask(packfile(1), range(4400, 1000)), (Answer::Nowhere, None)));
        here(parts.ask(packfile(2), range(4400, 1000)));
        parts.forget(packfile(2));
        assert!(!matches!(parts.ask(packfile(2), range(5500, 1000)), (Answer::Here(_), _)));
    }

    #[test]
    fn large_parts_and_other_kinds_are_left_to_the_author() {
        let mut parts = Parts::default();
        for n in 0..20 {
            let large = range(n * u64::from(SMALL + 1), SMALL + 1);
            assert!(matches!(parts.ask(packfile(1), large), (Answer::Nowhere, None)));
            let state = Object::new(Resource::State, Mac([1; Mac::LEN]));
            assert!(matches!(parts.ask(state, range(n * 1000, 1000)), (Answer::Nowhere, None)));
            assert!(matches!(parts.ask(packfile(1), range(n, 0)), (Answer::Nowhere, None)));
            assert!(matches!(parts.ask(packfile(1), range(u64::MAX - 4000 + n * 100, 100)), (Answer::Nowhere, None)));
        }
    }
}
