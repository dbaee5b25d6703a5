//! Hazard pointers (Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", 2004), for builds without
//! the interpreter lock.
//!
//! There a thread may read a place that another thread replaces at that moment. If it counted a reference to what it found,
//! the object might be gone before the count. So the thread writes what it found into a **slot** of its own, and looks
//! whether the place still has it. Whoever takes an object out of a place looks through all slots before it gives the
//! reference back. An object that stands in a slot is **retired**: it is looked at again when the next one is retired. So
//! no more objects wait than slots were in use at that time.
//!
//! Both sides first write and then read, each what the other one writes, and all four accesses are `SeqCst`. So one of the
//! two sees the other: the reader finds the place changed, or the other thread finds the slot.
//!
//! A slot also serves in place of a reference that a call would hold. A count of references that several threads change
//! moves between the caches of their processors, and a slot does not.
//!
//! The slots of a thread are a [`Record`]. Records are never freed; a thread that ends leaves its own to a later one. Nobody
//! waits here, so a child that is forked at any moment can go on. What other threads of its parent had in their slots stays
//! protected there.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

use pyo3::ffi;

/// Slots of a thread. The last one is for a look that ends at once, the others are for as long as it takes.
const SLOTS: usize = 64;
const BRIEF: usize = SLOTS - 1;

/// What belongs to one thread. Other threads read the slots.
#[repr(align(128))]
pub(crate) struct Record {
    slots: [AtomicPtr<ffi::PyObject>; SLOTS],
    /// Which slots are in use. Only the thread itself looks.
    used: Cell<u64>,
    /// A block that this thread has left for its next look-up, or null: an owned reference. Only the thread itself looks.
    pub(crate) left: Cell<*mut ffi::PyObject>,
    /// A number that few other threads have.
    pub(crate) lane: usize,
    is_taken: AtomicBool,
    next: *const Record,
}

/// The latest record, which leads to all others.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());
static LANES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: Cell<*const Record> = const { Cell::new(ptr::null()) };
    static END: End = const { End };
}

/// Leaves the thread's record to another thread when this one ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        // SAFETY: a record that this thread has taken; records are never freed.
        if let Some(record) = unsafe { MINE.replace(ptr::null()).as_ref() } {
            // An interpreter that ends may have ended the thread in the middle of a call.
            record.slots.iter().for_each(|slot| slot.store(ptr::null_mut(), Ordering::Release));
            record.used.set(0);
            record.is_taken.store(false, Ordering::Release);
        }
    }
}

impl Record {
    /// This thread's.
    #[inline(always)]
    pub(crate) fn mine() -> &'static Self {
        // SAFETY: null, or a record that this thread has taken; records are never freed.
        unsafe { MINE.get().as_ref() }.unwrap_or_else(Self::take)
    }

    #[cold]
    #[inline(never)]
    fn take() -> &'static Self {
        let record = all().find(|record| !record.is_taken.swap(true, Ordering::AcqRel)).unwrap_or_else(Self::make);
        MINE.set(record);
        // It fails if a destructor of another library calls Python at the very end of a thread. Then the record stays taken.
        _ = END.try_with(|_| ());
        record
    }

    fn make() -> &'static Self {
        let record = Box::new(Self {
            slots: std::array::from_fn(|_| AtomicPtr::default()),
            used: Cell::new(0),
            left: Cell::new(ptr::null_mut()),
            lane: LANES.fetch_add(1, Ordering::Relaxed),
            is_taken: AtomicBool::new(true),
            next: RECORDS.load(Ordering::Acquire),
        });
        let record = Box::into_raw(record);
        // SAFETY: nobody else has seen it until the exchange succeeds, and it is never freed.
        unsafe {
            while let Err(latest) =
                RECORDS.compare_exchange((*record).next.cast_mut(), record, Ordering::AcqRel, Ordering::Acquire)
            {
                (*record).next = latest;
            }
            &*record
        }
    }
}

fn all() -> impl Iterator<Item = &'static Record> {
    // SAFETY: null, or a record; these are never freed, and `next` does not change once others see it.
    let first = unsafe { RECORDS.load(Ordering::Acquire).as_ref() };
    // SAFETY: the same.
    std::iter::successors(first, |record| unsafe { record.next.as_ref() })
}

/// An object that stands in a slot of this thread, so that it stays alive. It has no destructor: [`Self::give_back`] must
/// be called, by the same thread.
#[derive(Clone, Copy)]
pub(crate) struct Protected {
    pub(crate) object: *mut ffi::PyObject,
    record: &'static Record,
    slot: usize,
}

impl Protected {
    /// What a place has, for as long as it takes. None if that is null, or if no slot is free, which the second value tells.
    #[inline(always)]
    pub(crate) fn of(place: &AtomicPtr<ffi::PyObject>) -> Result<Option<Self>, NoSlot> {
        let record = Record::mine();
        let slot = record.used.get().trailing_ones() as usize;
        if slot >= BRIEF {
            return Err(NoSlot);
        }
        let found = Self::in_slot(record, slot, place);
        if found.is_some() {
            record.used.set(record.used.get() | 1 << slot);
        }
        Ok(found)
    }

    /// The same for a look that ends before any other code runs.
    #[inline(always)]
    pub(crate) fn briefly(place: &AtomicPtr<ffi::PyObject>) -> Option<Self> {
        Self::in_slot(Record::mine(), BRIEF, place)
    }

    #[inline(always)]
    fn in_slot(record: &'static Record, slot: usize, place: &AtomicPtr<ffi::PyObject>) -> Option<Self> {
        let mut object = place.load(Ordering::Relaxed);
        while !object.is_null() {
            record.slots[slot].store(object, Ordering::SeqCst);
            let now = place.load(Ordering::SeqCst);
            if now == object {
                return Some(Self { object, record, slot });
            }
            object = now;
        }
        record.slots[slot].store(ptr::null_mut(), Ordering::Release);
        None
    }

    #[inline(always)]
    pub(crate) fn give_back(self) {
        self.record.used.set(self.record.used.get() & !(1 << self.slot));
        // Release: what this thread did with the object comes before its end.
        self.record.slots[self.slot].store(ptr::null_mut(), Ordering::Release);
    }
}

/// All slots of the thread are in use: so many guarded calls are inside of each other.
pub(crate) struct NoSlot;

/// An object that nobody can find any more, and what is to be done with it when nobody looks at it either.
struct Retired {
    object: *mut ffi::PyObject,
    free: unsafe fn(*mut ffi::PyObject),
    next: *mut Retired,
}

static RETIRED: AtomicPtr<Retired> = AtomicPtr::new(ptr::null_mut());

/// Frees an object as soon as it stands in no slot.
///
/// # Safety
/// No place has the object any more. `free` may be called with it once, by any attached thread. The thread is attached.
pub(crate) unsafe fn retire(object: *mut ffi::PyObject, free: unsafe fn(*mut ffi::PyObject)) {
    // Where the interpreter has emptied the place, it did so by a weaker store.
    fence(Ordering::SeqCst);
    if is_protected(object) {
        put(Box::new(Retired { object, free, next: ptr::null_mut() }));
    } else {
        // SAFETY: as the caller says.
        unsafe { free(object) };
    }
    // Others may wait since the last time. Each is looked at once: what still waits is put back.
    let mut next = RETIRED.swap(ptr::null_mut(), Ordering::AcqRel);
    while !next.is_null() {
        // SAFETY: taken out of the list, which owned it.
        let retired = unsafe { Box::from_raw(next) };
        next = retired.next;
        if is_protected(retired.object) {
            put(retired);
        } else {
            // SAFETY: as the caller of the call that retired it said.
            unsafe { (retired.free)(retired.object) };
        }
    }
}

fn is_protected(object: *mut ffi::PyObject) -> bool {
    // The negative control of tests/free_threading, which must find that nobody looks.
    if cfg!(fuseboard_unprotected) {
        return false;
    }
    all().any(|record| record.slots.iter().any(|slot| slot.load(Ordering::SeqCst) == object))
}

fn put(retired: Box<Retired>) {
    let retired = Box::into_raw(retired);
    let mut latest = RETIRED.load(Ordering::Relaxed);
    loop {
        // SAFETY: nobody else has it until the exchange succeeds.
        unsafe { (*retired).next = latest };
        match RETIRED.compare_exchange(latest, retired, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => latest = now,
        }
    }
}
