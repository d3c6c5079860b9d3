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

/// Digits of an `int` that are read; reading more would take the square of their number in time.
const MAX_DIGITS: usize = 65_536;
/// Digits that are turned into text at once: fewer than the least limit that the interpreter may have for this.
const AT_ONCE: u32 = 512;

/// The digits of an `int`, whatever a subclass overrides and whatever limit the interpreter has for its own `str`.
pub(super) fn digits(object: &Bound<'_, PyInt>) -> Result<String, Failure> {
    written(object)
        .map_err(|error| Failure::raised(object.py(), error))?
        .ok_or_else(|| Failure::refused(ErrorCode::ValueTooLarge, format!("has more than {MAX_DIGITS} digits")))
}

/// `None` where there are too many.
fn written(object: &Bound<'_, PyInt>) -> PyResult<Option<String>> {
    let int = object.py().get_type::<PyInt>();
    let bits: usize = int.call_method1("bit_length", (object,))?.extract()?;
    // A digit has more than three bits, so no number of so many bits has few enough digits.
    if bits / 4 > MAX_DIGITS {
        return Ok(None);
    }
    let negative: bool = int.call_method1("__lt__", (object, 0))?.extract()?;
    let mut rest = int.call_method1("__abs__", (object,))?;
    let power = 10_u8.into_pyobject(object.py())?.pow(AT_ONCE, object.py().None())?;
    let mut parts: Vec<String> = Vec::new();
    while rest.gt(&power)? {
        let (more, part): (Bound<'_, PyAny>, Bound<'_, PyAny>) = rest.divmod(&power)?.extract()?;
        let part: String = part.str()?.extract()?;
        parts.push(format!("{part:0>width$}", width = AT_ONCE as usize));
        rest = more;
    }
    parts.push(rest.str()?.extract()?);
    if negative {
        parts.push("-".to_owned());
    }
    let text: String = parts.into_iter().rev().collect();
    Ok((text.len() <= MAX_DIGITS + usize::from(negative)).then_some(text))
}
