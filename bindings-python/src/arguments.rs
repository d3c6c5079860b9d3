//! From what a tool's body will get to its arguments by name: the signature is analysed once, when the tool is guarded.

use crate::capture::{self, Budget, Failure, Step};
use counterseal::value::{Value, map};
use counterseal::{Error, ErrorCode};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyList, PyTuple};
use std::borrow::Cow;

/// How the objects that a guarded function hands over map to arguments by name.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Name and place of each argument that is always there, in canonical order of names.
    named: Vec<(String, usize)>,
    /// Arguments that are the same in every call, such as those a partial holds.
    constants: Vec<(String, Py<PyAny>)>,
    /// Place of the dict of further keyword arguments.
    rest: Option<usize>,
    /// Parameters, and names among further keyword arguments, that are passed through and never captured. A keyword that only
    /// shares its name with a parameter by position is no such thing.
    hidden: Vec<String>,
    /// A parameter that stands where methods have their receiver, and its place: it is none where the function is a static
    /// method after all, which shows when it is given a value that no class of a program makes.
    receiver: Option<(String, usize)>,
    /// The parameters behind a function that itself takes `*args, **kwargs`: places 0 and 1 are bound to them.
    behind: Option<Vec<Parameter>>,
}

/// One parameter of a signature that is bound natively.
#[derive(Debug)]
pub(crate) struct Parameter {
    name: String,
    kind: Kind,
    default: Option<Py<PyAny>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    PositionalOnly = 0,
    Positional = 1,
    Rest = 2,
    KeywordOnly = 3,
    KeywordRest = 4,
}

/// An object with the name it is captured under.
type Named<'a, 'py> = (Cow<'a, str>, Bound<'py, PyAny>);

impl Layout {
    /// `named`: pairs of name and place; `parameters`: triples of name, kind as `inspect` counts them, and a tuple that
    /// holds the default or nothing.
    pub(crate) fn new(
        mut named: Vec<(String, usize)>,
        constants: Vec<(String, Py<PyAny>)>,
        rest: Option<usize>,
        hidden: Vec<String>,
        receiver: Option<(String, usize)>,
        parameters: Option<Vec<(String, u8, Bound<'_, PyTuple>)>>,
    ) -> PyResult<Self> {
        named.sort_by(|left, right| counterseal::value::text::compare_utf16(&left.0, &right.0));
        let behind = parameters.map(|all| all.into_iter().map(Parameter::new).collect::<PyResult<_>>()).transpose()?;
        Ok(Self { named, constants, rest, hidden, receiver, behind })
    }

    /// The arguments as one map, or why they cannot be known.
    ///
    /// # Safety
    /// `given` are alive and unchanged while the value lives, as for [`capture::exact_value`]; there are as many as the
    /// layout has places.
    #[inline]
    #[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
    pub(crate) unsafe fn capture<'a>(
        &'a self,
        py: Python<'_>,
        given: &[*mut ffi::PyObject],
    ) -> Result<Value<'a>, Failure> {
        let no_receiver = self.no_receiver(given);
        let plain = self.behind.is_none() && self.rest.is_none() && self.constants.is_empty() && no_receiver.is_none();
        if plain {
            // SAFETY: the caller's promise is the callee's.
            if let Some(value) = unsafe { self.exact(given) }? {
                return Ok(value);
            }
        }
        // SAFETY: the caller holds each object.
        let given: Vec<_> = given.iter().map(|object| unsafe { Bound::from_borrowed_ptr(py, *object) }).collect();
        let mut named = self.gather(py, &given)?;
        if let Some((name, place)) = no_receiver {
            let Some(object) = given.get(place) else { return Err(misplaced()) };
            named.push((Cow::Borrowed(name), object.clone()));
        }
        if !plain {
            // SAFETY: the objects are held by the caller, by this layout, or by a dict that the caller holds.
            if let Some(value) = unsafe { exact_map(&named) }? {
                return Ok(value);
            }
        }
        capture::owned_map(py, &named)
    }

    /// Name and kind of each parameter that is bound natively, the kind as `inspect` counts it.
    pub(crate) fn parameters(&self) -> Option<Vec<(&str, u8)>> {
        let behind = self.behind.as_ref()?;
        Some(behind.iter().map(|parameter| (parameter.name.as_str(), parameter.kind as u8)).collect())
    }

    /// Name and place of what was taken for a receiver and is an argument.
    #[expect(unsafe_code, reason = "compares the type of an object that the caller holds")]
    fn no_receiver(&self, given: &[*mut ffi::PyObject]) -> Option<(&str, usize)> {
        let (name, place) = self.receiver.as_ref()?;
        // SAFETY: `capture` was promised that the objects are alive.
        given.get(*place).filter(|object| unsafe { capture::is_plain(**object) })?;
        Some((name, *place))
    }

    /// The common case: every argument has its place, and every value is of an exact built-in type.
    #[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
    unsafe fn exact<'a>(&'a self, given: &[*mut ffi::PyObject]) -> Result<Option<Value<'a>>, Failure> {
        let mut budget = Budget::for_parts_of_a_map();
        let mut entries = Vec::with_capacity(self.named.len());
        for (name, place) in &self.named {
            let Some(object) = given.get(*place) else { return Err(misplaced()) };
            // SAFETY: the caller's promise is the callee's.
            let read = unsafe { capture::exact_value(*object, &mut budget, 1) };
            match read.map_err(|failure| failure.within(|| Step::Name(name.clone())))? {
                Some(value) => entries.push((Cow::Borrowed(name.as_str()), value)),
                None => return Ok(None),
            }
        }
        Ok(Some(Value::Map(entries)))
    }

    /// Every argument that is captured, with its name, in no order.
    fn gather<'a, 'py>(&'a self, py: Python<'py>, given: &[Bound<'py, PyAny>]) -> Result<Vec<Named<'a, 'py>>, Failure> {
        let mut named: Vec<Named<'a, 'py>> = Vec::new();
        if let Some(parameters) = &self.behind {
            let args = given.first().and_then(|args| args.cast::<PyTuple>().ok());
            let kwargs = given.get(1).and_then(|kwargs| kwargs.cast::<PyDict>().ok());
            let (Some(args), Some(kwargs)) = (args, kwargs) else { return Err(misplaced()) };
            match bind(parameters, &self.hidden, args, kwargs)? {
                Some(bound) => named = bound,
                None => {
                    named.push((Cow::Borrowed("args"), args.clone().into_any()));
                    rest_of(kwargs, &[], &mut named)?;
                }
            }
        } else {
            for (name, place) in &self.named {
                let Some(object) = given.get(*place) else { return Err(misplaced()) };
                named.push((Cow::Borrowed(name), object.clone()));
            }
            if let Some(place) = self.rest {
                let Some(kwargs) = given.get(place).and_then(|rest| rest.cast::<PyDict>().ok()) else {
                    return Err(misplaced());
                };
                rest_of(kwargs, &self.hidden, &mut named)?;
            }
        }
        named.extend(
            self.constants.iter().map(|(name, object)| (Cow::Borrowed(name.as_str()), object.bind(py).clone())),
        );
        Ok(named)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (_, object) in &self.constants {
            visit.call(object)?;
        }
        for parameter in self.behind.iter().flatten() {
            if let Some(default) = &parameter.default {
                visit.call(default)?;
            }
        }
        Ok(())
    }
}

impl Parameter {
    fn new((name, kind, default): (String, u8, Bound<'_, PyTuple>)) -> PyResult<Self> {
        let kind = match kind {
            0 => Kind::PositionalOnly,
            1 => Kind::Positional,
            2 => Kind::Rest,
            3 => Kind::KeywordOnly,
            4 => Kind::KeywordRest,
            _ => return Err(PyValueError::new_err("unknown kind of parameter")),
        };
        Ok(Self { name, kind, default: default.iter().next().map(Bound::unbind) })
    }
}

/// Binds a call to `parameters` as Python would; `None` where Python would refuse the call.
fn bind<'a, 'py>(
    parameters: &'a [Parameter],
    hidden: &[String],
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> Result<Option<Vec<Named<'a, 'py>>>, Failure> {
    let py = args.py();
    let mut positional = args.iter();
    let left = kwargs.copy().map_err(|error| Failure::raised(py, error))?;
    let mut named: Vec<Named<'a, 'py>> = Vec::new();
    for parameter in parameters {
        let name = parameter.name.as_str();
        let by_keyword = |left: &Bound<'py, PyDict>| -> Option<Bound<'py, PyAny>> {
            let found = left.get_item(name).ok().flatten()?;
            left.del_item(name).ok()?;
            Some(found)
        };
        let found = match parameter.kind {
            Kind::PositionalOnly => positional.next(),
            Kind::Positional => positional.next().or_else(|| by_keyword(&left)),
            Kind::KeywordOnly => by_keyword(&left),
            Kind::Rest => {
                Some(PyList::new(py, positional.by_ref()).map_err(|error| Failure::raised(py, error))?.into_any())
            }
            Kind::KeywordRest => continue,
        };
        let Some(object) = found.or_else(|| parameter.default.as_ref().map(|default| default.bind(py).clone())) else {
            return Ok(None);
        };
        if !hidden.iter().any(|hidden| hidden == name) {
            named.push((Cow::Borrowed(name), object));
        }
    }
    let open = parameters.iter().any(|parameter| parameter.kind == Kind::KeywordRest);
    if positional.next().is_some() || (!left.is_empty() && !open) {
        return Ok(None);
    }
    let undeclared: Vec<_> =
        hidden.iter().filter(|name| !parameters.iter().any(|one| one.name == **name)).cloned().collect();
    rest_of(&left, &undeclared, &mut named)?;
    Ok(Some(named))
}

/// Adds keyword arguments under their own names. One that is there already is refused when the map is made.
fn rest_of<'py>(
    kwargs: &Bound<'py, PyDict>,
    hidden: &[String],
    named: &mut Vec<Named<'_, 'py>>,
) -> Result<(), Failure> {
    for (name, object) in kwargs.iter() {
        let name = capture::owned_text(&name)?;
        if !hidden.contains(&name) {
            named.push((Cow::Owned(name), object));
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
unsafe fn exact_map<'a>(named: &[Named<'a, '_>]) -> Result<Option<Value<'a>>, Failure> {
    let mut budget = Budget::for_parts_of_a_map();
    let mut entries = Vec::with_capacity(named.len());
    for (name, object) in named {
        // SAFETY: the caller's promise is the callee's.
        let read = unsafe { capture::exact_value(object.as_ptr(), &mut budget, 1) };
        match read.map_err(|failure| failure.within(|| Step::Name(name.to_string())))? {
            Some(value) => entries.push((name.clone(), value)),
            None => return Ok(None),
        }
    }
    Ok(Some(map(entries).map_err(Failure::from)?))
}

/// The generated function and its layout disagree, which only a defect of this package can cause.
fn misplaced() -> Failure {
    Failure::Core(Error::new(ErrorCode::Panic, "the guarded function handed over other arguments than it declared"))
}
