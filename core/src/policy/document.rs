//! The policy document: its types are its reader, its JSON Schema and its reference in one.

use super::asking::{NotBy, Quorum, Timeout};
use super::pattern::ToolPattern;
use super::quantity::{Amount, ArgumentPath, Count, Length, OnExceed, Per};
use super::read::{Placed, choices, keys};
use super::text::{Argument, Expression, Id, Item, ListName, Name, RedactKey, Tag, Text, Version};
use super::tool_key::Tools;
use crate::approval::Approver;
use crate::call::Risk;
use crate::decide::{Enforcement, FailMode, RecordLevel, RecordSync, Verdict};
use crate::limits::Calendar;
use crate::redact::Detector;
use crate::session::FactDetector;
use std::collections::BTreeMap;

choices! {
    Verdict {
        "allow" => Verdict::Allow, "deny" => Verdict::Deny, "require_approval" => Verdict::RequireApproval,
    }
    Enforcement {
        "observe" => Enforcement::Observe, "step_up" => Enforcement::StepUp,
        "progressive" => Enforcement::Progressive, "block" => Enforcement::Block,
    }
    Risk { "low" => Risk::Low, "medium" => Risk::Medium, "high" => Risk::High }
    FailMode { "closed" => FailMode::Closed, "open" => FailMode::Open }
    RecordLevel { "full" => RecordLevel::Full, "redacted" => RecordLevel::Redacted, "digest" => RecordLevel::Digest }
    RecordSync { "timer" => RecordSync::Timer, "durable" => RecordSync::Durable }
    Detector {
        "email" => Detector::Email, "credit_card" => Detector::CreditCard, "api_key" => Detector::ApiKey,
    }
    FactDetector { "email" => FactDetector::Email, "iban" => FactDetector::Iban, "url" => FactDetector::Url }
}

keys! {
    /// A policy: which tool calls may run, which a person has to allow, and what is recorded of them.
    pub(crate) struct Document called "the policy"
    requires {
        /// The version of the policy language.
        version: Version,
    }
    {
        /// What the policy is called in records and messages.
        name: Text,
        /// What holds for a tool call on which no rule matched; `allow` where left out.
        default: Verdict,
        /// How much of the verdicts is enforced; `progressive` where left out.
        enforcement: Enforcement,
        /// Whether code and environment may loosen `enforcement`; otherwise they can only tighten it.
        may_loosen: bool,
        /// What happens to a call that cannot be decided or recorded; `closed` where left out.
        fail_mode: FailMode,
        /// The tools that may be called at all; others are denied as `out_of_scope`. Empty denies all.
        scope: Vec<Placed<ToolPattern>>,
        /// The vocabulary of tags; where given, others are refused, in code too.
        tags: Vec<Placed<Tag>>,
        /// What the policy says of single tools, by name.
        tools: Tools,
        /// The rules; their order means nothing.
        rules: Vec<Placed<Rule>>,
        /// How much may be spent: money, tokens, calls, or the sum of an argument.
        budgets: Vec<Placed<Budget>>,
        /// How many calls may be made within a time.
        rate_limits: Vec<Placed<RateLimit>>,
        /// How often the same call may be made within a time.
        loops: Placed<LoopLimit>,
        /// Named lists for conditions: `args.to in lists.own_addresses`.
        lists: BTreeMap<ListName, Vec<Item>>,
        /// What is taken out of arguments and results before they are recorded.
        redact: Redact,
        /// How calls are recorded.
        record: Placed<Record>,
    }
}

keys! {
    /// What the policy says of one tool.
    pub(crate) struct Tool called "a tool" {
        /// Its tags.
        tags: Vec<Placed<Tag>>,
        /// How much harm it can do.
        risk: Risk,
        /// The system it acts on.
        connector: Name,
        /// What it does there.
        action: Name,
        /// JSON Schema of its arguments, an object with `properties`; conditions are checked against it.
        args: super::text::ArgsSchema,
        /// Arguments that change from call to call without changing what is done, such as a request id: a yes does not bind them.
        volatile: Vec<Placed<Argument>>,
        /// What of its results the session then knows (`session.known`). Not of a tool tagged `untrusted`.
        facts_from_result: Vec<Placed<FactDetector>>,
        /// How its calls are recorded, over what the policy says.
        record: Record,
        /// What happens to its calls that cannot be decided or recorded, over what the policy says.
        fail_mode: FailMode,
    }
}

keys! {
    /// A rule: the tools it speaks of, when it holds, and what it asks for. A tool has to meet every selector that is given,
    /// each by one of its entries.
    pub(crate) struct Rule called "a rule"
    requires {
        /// The rule's name in records and messages, unique in the policy.
        id: Placed<Id>,
        /// What the rule asks for.
        decision: Placed<Verdict>,
    }
    {
        /// Tools by name, with `*` and `?`; tools that are not the program's own as `mcp:server/name`.
        tools: Placed<Vec<Placed<ToolPattern>>>,
        /// Tools by tag.
        tags: Placed<Vec<Placed<Tag>>>,
        /// Tools by risk.
        risk: Placed<Vec<Risk>>,
        /// Tools by the system they act on.
        connectors: Placed<Vec<Name>>,
        /// Tools by what they do.
        actions: Placed<Vec<Name>>,
        /// The condition (CEL) under which the rule holds; always where left out.
        when: Expression,
        /// The condition (CEL) that excepts a call from the rule.
        unless: Expression,
        /// Why, for people.
        reason: Text,
        /// What the model is told.
        reason_for_agent: Text,
        /// Who has to say yes where the rule requires it, and to what.
        approval: Placed<Approval>,
        /// How much of this rule's decision is enforced, over what the policy says.
        enforcement: Enforcement,
        /// What happens to calls of the rule's tools that cannot be decided or recorded, over what the policy says.
        fail_mode: FailMode,
        /// How calls that this rule decides are recorded, over what tool and policy say.
        record: Record,
    }
}

keys! {
    /// Who has to say yes to a call, and to what. Where several rules ask, what each demands has to be met.
    pub(crate) struct Approval called "`approval`" {
        /// People by id, groups as `group:finance`; anybody who can answer where left out.
        approvers: Placed<Vec<Placed<Approver>>>,
        /// How many different people; 1 where left out.
        quorum: Placed<Quorum>,
        /// Who may not be one of them. Both the approver and the requester have to be verified then.
        not_by: Vec<NotBy>,
        /// How long they have: a whole number and `s`, `m`, `h` or `d`; `15m` where left out.
        timeout: Timeout,
        /// The arguments that a yes holds for; all but the tool's `volatile` where left out. The others may change until the call runs.
        bind: Placed<Vec<Placed<Argument>>>,
        /// The arguments that people see, unredacted in the approval alone; all, redacted, where left out.
        show: Vec<Placed<Argument>>,
    }
}

keys! {
    /// A budget: the most that may be spent of one thing, over all time or within a window. One of `usd`, `tokens`, `calls` and
    /// `sum` is given.
    pub(crate) struct Budget called "a budget"
    requires {
        /// The budget's name in records and messages, unique among rules and limits.
        id: Placed<Id>,
    }
    {
        /// Tools by name, with `*` and `?`; every tool where no selector is given.
        tools: Placed<Vec<Placed<ToolPattern>>>,
        /// Tools by tag.
        tags: Placed<Vec<Placed<Tag>>>,
        /// Tools by risk.
        risk: Placed<Vec<Risk>>,
        /// Tools by the system they act on.
        connectors: Placed<Vec<Name>>,
        /// Tools by what they do.
        actions: Placed<Vec<Name>>,
        /// What is counted apart: `session`, `run`, `agent`, `user`, `tool` or an argument such as `args.customer_id`; all calls of the
        /// home together where left out.
        per: Placed<Per>,
        /// US dollars, to six places: what calls are said to cost, and what was logged of a model's tokens.
        usd: Placed<Amount>,
        /// Tokens of models, as logged.
        tokens: Placed<Count>,
        /// Calls.
        calls: Placed<Count>,
        /// The argument whose values are summed, such as `args.amount`.
        sum: Placed<ArgumentPath>,
        /// The most that `sum` may come to, to six places.
        max: Placed<Amount>,
        /// The last so long: a whole number and `s`, `m`, `h` or `d`.
        window: Placed<Length>,
        /// The present hour, day, week (from Monday) or month, in UTC.
        calendar: Placed<Calendar>,
        /// What happens to a call beyond it; `deny` where left out.
        on_exceed: OnExceed,
    }
}

keys! {
    /// A rate limit: the most calls within a window. One of `window` and `calendar` is given.
    pub(crate) struct RateLimit called "a rate limit"
    requires {
        /// The rate limit's name in records and messages, unique among rules and limits.
        id: Placed<Id>,
        /// How many calls.
        calls: Count,
    }
    {
        /// Tools by name, with `*` and `?`; every tool where no selector is given.
        tools: Placed<Vec<Placed<ToolPattern>>>,
        /// Tools by tag.
        tags: Placed<Vec<Placed<Tag>>>,
        /// Tools by risk.
        risk: Placed<Vec<Risk>>,
        /// Tools by the system they act on.
        connectors: Placed<Vec<Name>>,
        /// Tools by what they do.
        actions: Placed<Vec<Name>>,
        /// What is counted apart, as of a budget.
        per: Placed<Per>,
        /// The last so long: a whole number and `s`, `m`, `h` or `d`.
        window: Placed<Length>,
        /// The present hour, day, week (from Monday) or month, in UTC.
        calendar: Placed<Calendar>,
        /// What happens to a call beyond it; `deny` where left out.
        on_exceed: OnExceed,
    }
}

keys! {
    /// The limit on loops: how often a session may make the same call, which is the same tool with the same arguments.
    pub(crate) struct LoopLimit called "`loops`"
    requires {
        /// How often the same call may be made.
        same_call: Count,
        /// Within the last so long: a whole number and `s`, `m`, `h` or `d`.
        window: Length,
    }
    {
        /// Tools by name, with `*` and `?`; every tool where no selector is given.
        tools: Placed<Vec<Placed<ToolPattern>>>,
        /// Tools by tag.
        tags: Placed<Vec<Placed<Tag>>>,
        /// Tools by risk.
        risk: Placed<Vec<Risk>>,
        /// Tools by the system they act on.
        connectors: Placed<Vec<Name>>,
        /// Tools by what they do.
        actions: Placed<Vec<Name>>,
        /// What happens to a call beyond it; `deny` where left out.
        on_exceed: OnExceed,
    }
}

keys! {
    /// What is taken out of arguments and results before they are recorded.
    pub(crate) struct Redact called "`redact`" {
        /// Keys whose values are taken out, at any depth.
        keys: Vec<RedactKey>,
        /// What is looked for in texts.
        detect: Vec<Detector>,
    }
}

keys! {
    /// How calls are recorded.
    pub(crate) struct Record called "`record`" {
        /// How arguments are kept; `redacted` where left out.
        args: RecordLevel,
        /// How results are kept; `digest` where left out.
        result: RecordLevel,
        /// When a record counts as written: with the next timed sync, or before the call runs.
        sync: RecordSync,
    }
}
