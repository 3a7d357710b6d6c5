//! A queue between threads and tasks, bounded by weight: records on their way to the host, pieces of a content either way.
//!
//! Both ends have a blocking and an asynchronous form. The sending side ends it with success or an error, which the
//! receiving side sees after everything sent before; the receiving side cancels by being dropped.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::{Error, Result};

/// Makes a queue that holds items up to `limit` in weight, or a single heavier one.
pub(crate) fn queue<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            items: VecDeque::new(),
            weight: 0,
            limit,
            senders: 1,
            end: None,
            cancelled: false,
            receiver: None,
            waiting_senders: Vec::new(),
            blocked_senders: 0,
            blocked_receiver: false,
        }),
        room: Condvar::new(),
        news: Condvar::new(),
    });
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    news: Condvar,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    limit: usize,
    senders: usize,
    end: Option<Result<()>>,
    cancelled: bool,
    receiver: Option<Waker>,
    waiting_senders: Vec<Waker>,
    blocked_senders: usize,
    blocked_receiver: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl<T> State<T> {
    fn has_room(&self, weight: usize) -> bool {
        self.items.is_empty() || self.weight + weight <= self.limit
    }

    /// Whether senders are to be woken: not at the first byte of room, so that they do not run a record at a time.
    fn is_half_empty(&self) -> bool {
        self.weight <= self.limit / 2
    }
}

/// Why an item was not taken.
pub(crate) enum Refused<T> {
    /// There is no room now.
    Full(T),
    /// Nobody wants it any more.
    Closed,
}

/// The sending end. Clones send into the same queue.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.lock();
            state.senders -= 1;
            state.senders == 0
        };
        if last {
            self.finish(Err(Error::other("it ended without a result")));
        }
    }
}

impl<T> Sender<T> {
    fn push<'a>(&self, mut state: MutexGuard<'a, State<T>>, item: T, weight: usize) {
        state.items.push_back((item, weight));
        state.weight += weight;
        let waker = state.receiver.take();
        let blocked = state.blocked_receiver;
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if blocked {
            self.0.news.notify_one();
        }
    }

    /// Sends if there is room now.
    pub(crate) fn try_send(&self, item: T, weight: usize) -> Result<(), Refused<T>> {
        let state = self.0.lock();
        if state.cancelled || state.end.is_some() {
            return Err(Refused::Closed);
        }
        if !state.has_room(weight) {
            return Err(Refused::Full(item));
        }
        self.push(state, item, weight);
        Ok(())
    }

    /// Sends, waiting for room. An error says that nobody wants it any more.
    pub(crate) fn send_blocking(&self, item: T, weight: usize) -> Result<()> {
        let mut state = self.0.lock();
        loop {
            if state.cancelled || state.end.is_some() {
                return Err(Error::cancelled());
            }
            if state.has_room(weight) {
                self.push(state, item, weight);
                return Ok(());
            }
            state.blocked_senders += 1;
            state = self.0.room.wait(state).unwrap_or_else(|e| e.into_inner());
            state.blocked_senders -= 1;
        }
    }

    /// Sends, waiting for room. An error says that nobody wants it any more.
    pub(crate) async fn send(&self, item: T, weight: usize) -> Result<()> {
        let mut item = Some(item);
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if state.cancelled || state.end.is_some() {
                return Poll::Ready(Err(Error::cancelled()));
            }
            if !state.has_room(weight) {
                state.waiting_senders.push(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(item) = item.take() {
                self.push(state, item, weight);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Ends the queue; only the first end counts.
    pub(crate) fn finish(&self, result: Result<()>) {
        let mut state = self.0.lock();
        if state.end.is_none() {
            state.end = Some(result);
        }
        let waker = state.receiver.take();
        let senders = std::mem::take(&mut state.waiting_senders);
        drop(state);
        self.0.news.notify_all();
        self.0.room.notify_all();
        waker.into_iter().chain(senders).for_each(Waker::wake);
    }

    /// Whether nobody wants anything any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }
}

/// The receiving end.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.cancelled = true;
        state.weight = 0;
        let items = std::mem::take(&mut state.items);
        let senders = std::mem::take(&mut state.waiting_senders);
        drop(state);
        drop(items);
        self.0.room.notify_all();
        senders.into_iter().for_each(Waker::wake);
    }
}

impl<T> Receiver<T> {
    fn pop(&self, mut state: MutexGuard<'_, State<T>>) -> Option<T> {
        let (item, weight) = state.items.pop_front()?;
        state.weight -= weight;
        if state.is_half_empty() {
            let senders = std::mem::take(&mut state.waiting_senders);
            let blocked = state.blocked_senders > 0;
            drop(state);
            senders.into_iter().for_each(Waker::wake);
            if blocked {
                self.0.room.notify_all();
            }
        }
        Some(item)
    }

    /// The next item, none at a successful end. After the end it gives the same end again.
    pub(crate) fn recv_blocking(&mut self) -> Result<Option<T>> {
        let mut state = self.0.lock();
        loop {
            if !state.items.is_empty() {
                return Ok(self.pop(state));
            }
            if let Some(end) = &state.end {
                return end.clone().map(|()| None);
            }
            state.blocked_receiver = true;
            state = self.0.news.wait(state).unwrap_or_else(|e| e.into_inner());
            state.blocked_receiver = false;
        }
    }

    /// Whether [`recv_blocking`](Self::recv_blocking) would answer at once.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.0.lock();
        !state.items.is_empty() || state.end.is_some()
    }

    /// The next item, none at a successful end. After the end it gives the same end again.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let mut state = self.0.lock();
        if !state.items.is_empty() {
            return Poll::Ready(Ok(self.pop(state)));
        }
        if let Some(end) = &state.end {
            return Poll::Ready(end.clone().map(|()| None));
        }
        state.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next item, none at a successful end.
    pub(crate) async fn recv(&mut self) -> Result<Option<T>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_full_queue_blocks_until_there_is_room_and_loses_nothing() {
        let (sender, mut receiver) = queue(10);
        let writer = thread::spawn(move || {
            (0..1000).for_each(|i| sender.send_blocking(i, 3).unwrap());
            sender.finish(Ok(()));
        });
        let mut got = Vec::new();
        while let Some(i) = receiver.recv_blocking().unwrap() {
            got.push(i);
        }
        writer.join().unwrap();
        assert_eq!(got, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn an_item_heavier_than_the_limit_passes_alone() {
        let (sender, mut receiver) = queue(10);
        assert!(sender.try_send("heavy", 100).is_ok());
        assert!(matches!(sender.try_send("light", 1), Err(Refused::Full(_))));
        assert_eq!(receiver.recv_blocking().unwrap(), Some("heavy"));
        assert!(sender.try_send("light", 1).is_ok());
    }

    #[test]
    fn a_dropped_receiver_wakes_a_blocked_sender_with_cancelled() {
        let (sender, receiver) = queue(1);
        sender.send_blocking(1, 1).unwrap();
        let writer = thread::spawn(move || sender.send_blocking(2, 1));
        drop(receiver);
        assert_eq!(writer.join().unwrap().unwrap_err().kind(), crate::ErrorKind::Cancelled);
    }

    #[test]
    fn the_end_comes_after_everything_sent_before_and_stays() {
        let (sender, mut receiver) = queue(10);
        sender.send_blocking(1, 1).unwrap();
        sender.finish(Err(Error::truncated("broken off")));
        sender.finish(Ok(()));
        assert_eq!(receiver.recv_blocking().unwrap(), Some(1));
        assert_eq!(receiver.recv_blocking().unwrap_err().message(), "broken off");
        assert_eq!(receiver.recv_blocking().unwrap_err().message(), "broken off");
        assert!(matches!(sender.try_send(2, 1), Err(Refused::Closed)));
    }

    #[test]
    fn senders_that_are_all_dropped_end_the_queue_with_an_error() {
        let (sender, mut receiver) = queue::<u8>(10);
        drop(sender.clone());
        drop(sender);
        assert_eq!(receiver.recv_blocking().unwrap_err().message(), "it ended without a result");
    }

    #[test]
    fn tasks_wait_for_room_and_for_items() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = queue(2);
            let writer = tokio::spawn(async move {
                for i in 0..100 {
                    sender.send(i, 1).await.unwrap();
                }
                sender.finish(Ok(()));
            });
            let mut sum = 0;
            while let Some(i) = receiver.recv().await.unwrap() {
                sum += i;
            }
            writer.await.unwrap();
            assert_eq!(sum, 4950);
        });
    }
}
