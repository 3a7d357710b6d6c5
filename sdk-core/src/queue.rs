//! A queue between threads and tasks, bounded by weight: records on their way to the host, pieces of a content either way.
//!
//! Both ends have a blocking and an asynchronous form. The sending side ends it with success or an error, which the
//! receiving side sees after everything sent before; the receiving side cancels by being dropped.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

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

    /// Whether nobody takes anything any more.
    fn is_closed(&self) -> bool {
        self.cancelled || self.end.is_some()
    }

    /// Whether senders are to be woken: not at the first byte of room, so that they do not run a record at a time.
    fn is_half_empty(&self) -> bool {
        self.weight <= self.limit / 2
    }
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
    fn push(&self, mut state: MutexGuard<'_, State<T>>, item: T, weight: usize) {
        state.items.push_back((item, weight));
        state.weight += weight;
        self.notify(state);
    }

    /// Something has come: wakes the receiver.
    fn notify(&self, mut state: MutexGuard<'_, State<T>>) {
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

    /// Waits for room.
    fn room_blocking(&self, weight: usize) -> Result<MutexGuard<'_, State<T>>> {
        let mut state = self.0.lock();
        loop {
            if state.is_closed() {
                return Err(Error::cancelled());
            }
            if state.has_room(weight) {
                return Ok(state);
            }
            state.blocked_senders += 1;
            state = self.0.room.wait(state).unwrap_or_else(|e| e.into_inner());
            state.blocked_senders -= 1;
        }
    }

    /// Waits for room.
    fn poll_room(&self, cx: &mut Context<'_>, weight: usize) -> Poll<Result<MutexGuard<'_, State<T>>>> {
        let mut state = self.0.lock();
        if state.is_closed() {
            return Poll::Ready(Err(Error::cancelled()));
        }
        if !state.has_room(weight) {
            state.waiting_senders.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(state))
    }

    /// Sends, waiting for room. An error says that nobody wants it any more.
    pub(crate) fn send_blocking(&self, item: T, weight: usize) -> Result<()> {
        let state = self.room_blocking(weight)?;
        self.push(state, item, weight);
        Ok(())
    }

    /// Sends, waiting for room. An error says that nobody wants it any more.
    pub(crate) async fn send(&self, item: T, weight: usize) -> Result<()> {
        let mut item = Some(item);
        poll_fn(|cx| {
            let state = ready!(self.poll_room(cx, weight))?;
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
        let (receiver_waits, senders_wait) = (state.blocked_receiver, state.blocked_senders > 0);
        drop(state);
        // A system call each, whether or not anybody waits.
        if receiver_waits {
            self.0.news.notify_all();
        }
        if senders_wait {
            self.0.room.notify_all();
        }
        waker.into_iter().chain(senders).for_each(Waker::wake);
    }

    /// Whether it has ended, or nobody wants anything any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().is_closed()
    }

    /// Whether nobody wants anything any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }
}

/// A queue of bytes: what is appended shares a piece of memory with what was appended before it, until the receiver takes that.
impl Sender<Vec<u8>> {
    /// A piece of memory is full at this size.
    const PIECE: usize = 64 << 10;

    fn append_to<'a>(&self, mut state: MutexGuard<'a, State<Vec<u8>>>, write: impl FnOnce(&mut Vec<u8>)) {
        if state.items.back().is_none_or(|(piece, _)| piece.len() >= Self::PIECE) {
            state.items.push_back((Vec::with_capacity(Self::PIECE + Self::PIECE / 8), 0));
        }
        if let Some((piece, weight)) = state.items.back_mut() {
            write(piece);
            let added = piece.len() - *weight;
            *weight = piece.len();
            state.weight += added;
        }
        self.notify(state);
    }

    /// Appends if there is room now, and says whether there was.
    pub(crate) fn try_append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<bool> {
        let state = self.0.lock();
        if state.is_closed() {
            return Err(Error::cancelled());
        }
        let room = state.has_room(1);
        if room {
            self.append_to(state, write);
        }
        Ok(room)
    }

    /// Appends, waiting for room. An error says that nobody wants it any more.
    pub(crate) fn append_blocking(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let state = self.room_blocking(1)?;
        self.append_to(state, write);
        Ok(())
    }

    /// Appends, waiting for room. An error says that nobody wants it any more.
    pub(crate) async fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let mut write = Some(write);
        poll_fn(|cx| {
            let state = ready!(self.poll_room(cx, 1))?;
            if let Some(write) = write.take() {
                self.append_to(state, write);
            }
            Poll::Ready(Ok(()))
        })
        .await
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
        let senders_wait = state.blocked_senders > 0;
        drop(state);
        drop(items);
        if senders_wait {
            self.0.room.notify_all();
        }
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
        sender.send_blocking("heavy", 100).unwrap();
        let writer = thread::spawn(move || sender.send_blocking("light", 1));
        assert_eq!(receiver.recv_blocking().unwrap(), Some("heavy"));
        writer.join().unwrap().unwrap();
        assert_eq!(receiver.recv_blocking().unwrap(), Some("light"));
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
        assert_eq!(sender.send_blocking(2, 1).unwrap_err().kind(), crate::ErrorKind::Cancelled);
    }

    #[test]
    fn senders_that_are_all_dropped_end_the_queue_with_an_error() {
        let (sender, mut receiver) = queue::<u8>(10);
        drop(sender.clone());
        drop(sender);
        assert_eq!(receiver.recv_blocking().unwrap_err().message(), "it ended without a result");
    }

    #[test]
    fn bytes_are_appended_in_order_and_bounded() {
        let (sender, mut receiver) = queue::<Vec<u8>>(100_000);
        let writer = thread::spawn(move || {
            for i in 0..200_000u32 {
                sender.append_blocking(|piece| piece.extend(i.to_le_bytes())).unwrap();
            }
            sender.finish(Ok(()));
        });
        let mut all = Vec::new();
        while let Some(piece) = receiver.recv_blocking().unwrap() {
            assert!(piece.len() <= 100_000);
            all.extend(piece);
        }
        writer.join().unwrap();
        assert!(all.chunks_exact(4).zip(0u32..).all(|(bytes, i)| bytes == i.to_le_bytes()));
        assert_eq!(all.len(), 800_000);
    }

    #[test]
    fn a_full_queue_of_bytes_says_so() {
        let (sender, mut receiver) = queue::<Vec<u8>>(10);
        assert!(sender.try_append(|piece| piece.extend([0; 10])).unwrap());
        assert!(!sender.try_append(|piece| piece.push(0)).unwrap());
        receiver.recv_blocking().unwrap();
        assert!(sender.try_append(|piece| piece.push(0)).unwrap());
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
