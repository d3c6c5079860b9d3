//! How an evaluation can fail. Every way is listed: adding one forces a decision at each place that reports them.

use std::fmt;

/// Why a part of a condition has no value. Never holds a value of the call, only names and types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The argument, field or element is not there.
    Missing,
    /// It is of another type than the condition was checked with, or than its place needs.
    WrongType { found: &'static str, wanted: &'static str },
    /// The two sides cannot be compared.
    Incomparable { left: &'static str, right: &'static str },
    /// One side is not a number, so it has no place in an order.
    NotANumber,
    /// An opaque value was touched.
    Opaque,
    /// An integer outside 64 bits.
    BigInteger,
    /// The result does not fit its type.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// The text, number or time does not convert.
    Conversion(&'static str),
    /// A function refused what it was given, for its own reason.
    Function(&'static str),
    /// More text was looked at than one evaluation may.
    TooMuchText,
    /// A list or map is longer than a comprehension goes through.
    TooLong,
    /// Arguments are not known while a condition is looked at without a call.
    NoCall,
    /// There is no session to ask.
    NoSession,
    /// The session's history is not known.
    History,
}

/// A part of a condition and why it has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) part: String,
    pub(super) why: Why,
}

impl Failure {
    pub(super) fn new(part: impl fmt::Display, why: Why) -> Box<Self> {
        Box::new(Self { part: part.to_string(), why })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        match &self.why {
            Why::Missing => write!(f, "`{part}` is missing"),
            Why::WrongType { found, wanted } => write!(f, "`{part}` is {found}, not {wanted}"),
            Why::Incomparable { left, right } => write!(f, "`{part}` compares {left} with {right}"),
            Why::NotANumber => write!(f, "`{part}` compares with a not-a-number"),
            Why::Opaque => write!(f, "`{part}` is opaque"),
            Why::BigInteger => write!(f, "`{part}` is an integer outside 64 bits"),
            Why::Overflow => write!(f, "`{part}` overflows"),
            Why::DivisionByZero => write!(f, "`{part}` divides by zero"),
            Why::Conversion(into) => write!(f, "`{part}` is not {into}"),
            Why::Function(why) => write!(f, "`{part}` {why}"),
            Why::TooLong => write!(f, "`{part}` has more than {} elements to go through", super::node::MAX_ELEMENTS),
            Why::TooMuchText => write!(f, "`{part}` looks at too much text"),
            Why::NoCall => write!(f, "`{part}` is known in a call only"),
            Why::NoSession => write!(f, "`{part}` is known in a session only"),
            Why::History => write!(f, "`{part}` asks for a history that is not known"),
        }
    }
}
