//! Text and integers out of Python objects.

use super::Failure;
use counterseal::ErrorCode;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// The UTF-8 of a `str`, which the object itself keeps.
///
/// # Safety
/// `object` is a `str` or of a subclass of it, and outlives `'a`.
#[expect(unsafe_code, reason = "lends the UTF-8 form that a str caches")]
pub(super) unsafe fn text<'a>(object: *mut ffi::PyObject) -> Result<&'a str, Failure> {
    let mut size: ffi::Py_ssize_t = 0;
    // SAFETY: on success the buffer holds `size` bytes of valid UTF-8 for as long as the object lives.
    unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut size);
        if start.is_null() {
            ffi::PyErr_Clear();
            return Err(Failure::refused(ErrorCode::ValueBadText, "is not valid unicode: it has a lone surrogate"));
        }
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(size).unwrap_or(0));
        Ok(std::str::from_utf8_unchecked(bytes))
    }
}

/// The value of an `int` or of a subclass of it, whatever the subclass overrides; `None` beyond 64 bits.
///
/// # Safety
/// `object` is an `int` and alive.
#[expect(unsafe_code, reason = "reads an int by pointer")]
pub(super) unsafe fn small_integer(object: *mut ffi::PyObject) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: the object is an int, so the call sets no exception.
    let small = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow) };
    (overflow == 0).then_some(small)
}

/// The digits of an `int` of any size, whatever a subclass overrides.
pub(super) fn digits(object: &Bound<'_, PyInt>) -> Result<String, Failure> {
    let text = object.py().get_type::<PyInt>().call_method1("__repr__", (object,));
    // The interpreter's own limit on digits is kept: more of them cost quadratic time.
    text.and_then(|text| text.extract()).map_err(|_| {
        let why = "has more digits than the interpreter turns into text (`sys.get_int_max_str_digits()`)";
        Failure::refused(ErrorCode::ValueTooLarge, why)
    })
}
