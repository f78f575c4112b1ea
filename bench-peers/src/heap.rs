//! The system's allocator, and a count of what each thread holds of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn add(bytes: isize) {
    // A thread that ends has no count any more, and nobody asks for it.
    let _ = BYTES.try_with(|count| count.set(count.get() + bytes));
}

// SAFETY: all is left to the system's allocator, which keeps the contract; the count neither allocates nor unwinds. A
// count for each thread is two instructions, so that a rival that allocates in each call isn't slowed down.
#[expect(unsafe_code, reason = "an allocator is unsafe to write")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as promised to us.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as promised to us.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: as promised to us.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// What `make` makes, and how many bytes of the heap it asked for. The allocator's own overhead comes on top.
pub(crate) fn held_by<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = BYTES.get();
    let made = make();
    let held = BYTES.get() - before;
    (made, held.try_into().expect("more is allocated than freed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_what_is_freed_is_not() {
        let (_block, held) = held_by(|| {
            drop(vec![0u8; 5000]);
            let mut grown = Vec::with_capacity(10);
            grown.resize(300, 1u8);
            grown.shrink_to_fit();
            (grown, vec![0u64; 100])
        });
        assert_eq!(held, 300 + 800);
    }
}
