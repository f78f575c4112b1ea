//! Further copies of the library in one process, as plugins bring them along. Each is a C library in a file of its own, so that the
//! loader takes it for another one, with statics of its own.

use crate::prefix::prefix;
use libc::c_void;
use std::ffi::{CStr, CString, c_char};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::LazyLock;
use trip99::ffi::{cb_owner, cb_start, cb_start_value, cb_status, cb_status_value};

const CLOSED: cb_start = cb_start_value::CB_START_CLOSED as cb_start;
const OK: cb_status = cb_status_value::CB_STATUS_OK as cb_status;
const BUSY: cb_status = cb_status_value::CB_STATUS_SHARED_BUSY as cb_status;

/// How many copies there are.
pub(crate) const COPIES: usize = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("copies")
}

fn file(number: usize) -> PathBuf {
    assert!(number < COPIES);
    folder().join(format!("copy-{number}.so"))
}

/// Makes the copies of the installed library, once for each test program. The processes that a test starts find them.
pub(crate) fn build() {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let library = prefix().join("lib/libtrip99.so");
        fs::create_dir_all(folder()).unwrap();
        for number in 0..COPIES {
            // Another run of the tests may have the old file loaded. So it is replaced, not written to.
            let draft = folder().join(format!("{}-{number}", std::process::id()));
            fs::copy(&library, &draft).unwrap();
            fs::rename(&draft, file(number)).unwrap();
        }
    });
    LazyLock::force(&BUILT);
}

type Create = unsafe extern "C" fn(*const c_char, *const c_void, cb_start, *mut *mut c_void) -> cb_status;
type Open = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> cb_status;
type GetOwner = unsafe extern "C" fn(*const c_void, *mut cb_owner) -> bool;
type Close = unsafe extern "C" fn(*mut c_void);

/// A copy of the library. It stays loaded, as its threads may be at work.
pub(crate) struct Copy {
    create: Create,
    destroy: Close,
    open: Open,
    owner: GetOwner,
    close: Close,
}

/// A breaker of a copy, which owns a page.
pub(crate) struct Owned {
    breaker: *mut c_void,
    copy: &'static Copy,
}

impl Copy {
    /// Loads a copy that [`build`] made.
    pub(crate) fn load(number: usize) -> &'static Self {
        let path = c_path(&file(number));
        // SAFETY: the library runs nothing when it is loaded.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "copy {number} can be loaded");
        let symbol = |name: &CStr| {
            // SAFETY: the library is loaded, and stays so.
            let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!symbol.is_null(), "{name:?}");
            symbol
        };
        // SAFETY: functions of these names and types, pointers to handles being untyped here.
        Box::leak(Box::new(unsafe {
            Self {
                create: std::mem::transmute::<*mut c_void, Create>(symbol(c"cb_create_shared")),
                destroy: std::mem::transmute::<*mut c_void, Close>(symbol(c"cb_destroy")),
                open: std::mem::transmute::<*mut c_void, Open>(symbol(c"cb_observer_open")),
                owner: std::mem::transmute::<*mut c_void, GetOwner>(symbol(c"cb_observer_get_owner")),
                close: std::mem::transmute::<*mut c_void, Close>(symbol(c"cb_observer_close")),
            }
        }))
    }

    /// Makes this copy the owner of a page, unless the page has one.
    pub(crate) fn own(&'static self, page: &Path) -> Option<Owned> {
        let mut breaker = null_mut();
        // SAFETY: a path, no settings, and where the breaker goes.
        match unsafe { (self.create)(c_path(page).as_ptr(), null_mut(), CLOSED, &raw mut breaker) } {
            OK => Some(Owned { breaker, copy: self }),
            BUSY => None,
            status => panic!("{}: status {status}", page.display()),
        }
    }

    /// Asks who owns a page: the process, and whether it is alive. The page is opened and closed.
    pub(crate) fn owner(&self, page: &Path) -> (u32, bool) {
        let mut observer = null_mut();
        // SAFETY: a `cb_owner` is integers and bools, for which zeros will do.
        let mut owner: cb_owner = unsafe { std::mem::zeroed() };
        owner.struct_size = size_of::<cb_owner>() as u32;
        // SAFETY: a path, and where the observer goes; then the observer, which nobody uses after it is closed.
        unsafe {
            assert_eq!((self.open)(c_path(page).as_ptr(), &raw mut observer), OK);
            assert!((self.owner)(observer, &raw mut owner));
            (self.close)(observer);
        }
        (owner.pid, owner.alive)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the copy's breaker, which nobody uses any more.
        unsafe { (self.copy.destroy)(self.breaker) };
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}
