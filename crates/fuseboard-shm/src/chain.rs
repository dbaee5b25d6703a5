//! A list that only grows, and is read without a lock. If the process forks while a thread adds to the list, the child
//! finds the list whole.
//!
//! Each link points to the next one. A new link is put behind the last one by compare-and-swap, from null. Nothing is
//! taken out or moved until the whole list is dropped. So a reference to an item lives as long as a reference to the
//! list, and an item keeps its position.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The list.
#[derive(Debug)]
pub(crate) struct Chain<T> {
    first: AtomicPtr<Link<T>>,
}

#[derive(Debug)]
struct Link<T> {
    item: T,
    next: AtomicPtr<Link<T>>,
}

// SAFETY: it owns its items as a `Vec` does, and gives out nothing but shared references to them.
unsafe impl<T: Send> Send for Chain<T> {}
// SAFETY: a shared chain takes in items of other threads and shows them to all, hence both bounds.
unsafe impl<T: Send + Sync> Sync for Chain<T> {}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Chain<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The items, in the order they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let mut next = &self.first;
        std::iter::from_fn(move || {
            // Acquire: the item was written before its link was put there.
            let link = next.load(Ordering::Acquire);
            // SAFETY: null, or a link that `add` put there, which stays until the chain is dropped, and is borrowed by this.
            let link = unsafe { link.as_ref() }?;
            next = &link.next;
            Some(&link.item)
        })
    }

    /// Adds an item behind those that the caller has seen, which were so many; `false`, and the item is dropped, if
    /// there is another one by now.
    pub(crate) fn add_behind(&self, seen: usize, item: T) -> bool {
        let mut end = &self.first;
        for _ in 0..seen {
            // SAFETY: as in `iter`.
            let Some(link) = (unsafe { end.load(Ordering::Acquire).as_ref() }) else { return false };
            end = &link.next;
        }
        let link = Box::into_raw(Box::new(Link { item, next: AtomicPtr::default() }));
        // Release: the item is written before others can come to it.
        let added = end.compare_exchange(ptr::null_mut(), link, Ordering::Release, Ordering::Relaxed).is_ok();
        if !added {
            // SAFETY: made from a box just above, and seen by nobody else.
            drop(unsafe { Box::from_raw(link) });
        }
        added
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        let mut next = *self.first.get_mut();
        while !next.is_null() {
            // SAFETY: each link was made from a box and is in one chain once, which nobody else has any more.
            let mut link = unsafe { Box::from_raw(next) };
            next = *link.next.get_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn items_stay_in_the_order_they_were_added() {
        let chain = Chain::default();
        let added = [0, 1, 2].map(|number| chain.add_behind(number, number));
        assert_eq!(([true; 3], vec![0, 1, 2]), (added, chain.iter().copied().collect()));
    }

    /// Who has not seen the last one does not know what it adds behind.
    #[test]
    fn an_item_is_added_behind_the_last_one_only() {
        let chain = Chain::default();
        assert!(chain.add_behind(0, 'a'));
        assert_eq!(
            [false, false, true],
            [chain.add_behind(0, 'b'), chain.add_behind(2, 'b'), chain.add_behind(1, 'b')]
        );
        assert_eq!("ab", chain.iter().collect::<String>());
    }

    #[test]
    fn items_are_dropped_once_added_or_not() {
        let item = Arc::new(());
        let chain = Chain::default();
        (0..3).for_each(|seen| assert!(chain.add_behind(seen, Arc::clone(&item))));
        assert!(!chain.add_behind(0, Arc::clone(&item)));
        assert_eq!(4, Arc::strong_count(&item));
        drop(chain);
        assert_eq!(1, Arc::strong_count(&item));
    }

    /// Of threads that add at once each adds all its items, and none gets lost.
    #[test]
    fn threads_that_add_at_once_lose_nothing() {
        let chain = Chain::default();
        let add = &|item: usize| while !chain.add_behind(chain.iter().count(), item) {};
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || (0..100).for_each(|number| add(100 * thread + number)));
            }
        });
        let mut items: Vec<_> = chain.iter().copied().collect();
        items.sort_unstable();
        assert_eq!((0..400).collect::<Vec<_>>(), items);
    }
}
