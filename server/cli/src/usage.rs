//! Answers a command line that asks for help or cannot be understood.

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Prints what was asked for, or says what was not understood, the nearest thing that would be, and the usage.
pub(crate) fn answer(error: &clap::Error, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if console.colour() { rendered.ansi().to_string() } else { rendered.to_string() };
            console.text(&text);
            Ok(Exit::Fine)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !console.json() => {
            let text = if console.colour_of_errors() { rendered.ansi().to_string() } else { rendered.to_string() };
            console.error_text(&text);
            Ok(Exit::Usage)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::usage("a command is missing; see `counterseal --help`"))
        }
        _ => Err(Failure::usage(explain(error))),
    }
}

fn explain(error: &clap::Error) -> String {
    let found = |kind| error.get(kind).map(shown).filter(|text| !text.is_empty());
    let argument = found(ContextKind::InvalidArg).unwrap_or_default();
    let value = found(ContextKind::InvalidValue);
    let mut message = match error.kind() {
        ErrorKind::UnknownArgument => format!("{argument} is not known here"),
        ErrorKind::InvalidSubcommand => {
            format!("there is no command {}", found(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::ArgumentConflict => match found(ContextKind::PriorArg) {
            Some(prior) if prior != argument => format!("{argument} cannot be used together with {prior}"),
            _ => format!("{argument} is given twice"),
        },
        ErrorKind::InvalidValue => match &value {
            Some(value) => format!("{value} is no value of {argument}"),
            None => format!("{argument} needs a value"),
        },
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map_or_else(String::new, reason);
            format!("{} is no value of {argument}{why}", value.as_deref().unwrap_or("an empty text"))
        }
        ErrorKind::InvalidUtf8 => "an argument is not utf-8 text".to_owned(),
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    };
    if let Some(values) = found(ContextKind::ValidValue) {
        message.push_str("; one of ");
        message.push_str(&values);
    }
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    if let Some(near) = near.into_iter().find_map(found) {
        message.push_str("; did you mean ");
        message.push_str(&near);
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        message.push('\n');
        message.push_str(usage.trim().trim_start_matches("Usage: ").trim());
        message.insert_str(message.rfind('\n').map_or(0, |end| end + 1), "usage: ");
    }
    message
}

/// Why a value was refused; numbers are told apart from texts in the words of this program.
fn reason(why: &(dyn std::error::Error + 'static)) -> String {
    if why.is::<std::num::ParseIntError>() { ": write a whole number".to_owned() } else { format!(": {why}") }
}

fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) if text.is_empty() => String::new(),
        ContextValue::String(text) => format!("`{text}`"),
        ContextValue::Strings(texts) => texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}
