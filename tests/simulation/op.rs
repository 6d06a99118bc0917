//! What can happen, and how it is drawn. A scenario is a list of these; its `Debug` is the Rust that says it again.

use proptest::prelude::*;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A GP writes a referral; the service learns of it when it looks.
    Refers(Who),
    /// The practice changes something about a referral.
    Changes(u8, Edit),
    /// The service looks at the practice.
    Polls,
    /// A partner answers by the link of an offer of this referral: yes, no, how it goes.
    Says(u8, Which, Answer),
    /// The same form sent twice, as by an impatient finger.
    SaysTwice(u8, Which, Answer),
    /// The coordinator does something about a referral at her desk.
    Does(u8, Act),
    /// The next mails to somebody meet this.
    MailMeets(To, Trouble, u8),
    /// Mail does not go at all until it heals.
    MailIsAway,
    /// The next requests to the practice meet this.
    PracticeMeets(Door, Fault, u8),
    /// The database takes nothing of a kind until it heals.
    DatabaseRefuses(Table),
    /// Every connection to the database is cut; where it is a file, the service starts again in good order.
    DatabaseRestarts,
    /// Everything around the service is well again.
    Heals,
    /// Time passes, and what was due in it is done.
    Minutes(u16),
    /// Working days pass, one after the other.
    WorkingDays(u8),
    /// The service is stopped in good order and started again.
    Restarts,
    /// The process dies where nothing is under way, and starts again.
    Dies,
    /// The process dies at this moment of what happens next, and starts again.
    DiesAt(Moment),
}

/// Who is referred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Lonely,
    LonelyToo,
    WithTask,
    CodesOnly,
    SharesNothing,
    Unsafe,
    NotToBeContacted,
    WithoutConsent,
}

/// What the practice changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Words,
    WordsUnsafe,
    SaysNo,
    SaysYes,
    ContactProhibited,
    Died,
    AnotherNumber,
    TakenBack,
    SentAgain,
    TaskCancelled,
}

/// Of the offers that were mailed about a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Newest,
    Oldest,
}

/// What a partner says on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    Question,
    Booked,
    DidNotCome,
    Started,
    OnHold,
    Finished,
    CouldNot,
    Worried,
    /// Asks for a code and looks who the person is.
    Looks,
}

/// What the coordinator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Looks,
    Approves,
    Asks(u8),
    PutsBack,
    KeepsBack,
    Supports,
    Closes,
    ClosesAll,
    SaysItWasAnError,
    Settles,
    SaysSamePerson,
    FilesAgain,
    SetsAside,
}

/// Whose mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Anybody,
    Duty,
}

/// What happens to a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    NotNow,
    NoSuchAddress,
    FullAfterData,
    RefusedAfterData,
    Closing,
    /// The connection is lost after the final dot, and the mail with it.
    Lost,
    /// The connection is lost after the final dot, and the mail arrived.
    LostAfterArrival,
}

/// Which requests of the practice's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Searching,
    Reading,
    WritingTask,
    Filing,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Away,
    TooMany,
    Broken,
    NotAllowed,
    Conflict,
    Moved,
    Refused,
    LoginPage,
    HalfAnAnswer,
    CutBefore,
    CutAfter,
}

/// What the database refuses to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Events,
    Mails,
    Alerts,
    Results,
}

/// When the process dies: at the practice's or the mail server's door, before or after the effect there and always before
/// its own commit, or so many milliseconds after something began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Searching,
    Reading,
    TaskUnwritten,
    TaskWritten,
    Unfiled,
    Filed,
    MailArrived,
    After(u8),
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn who() -> impl Strategy<Value = Who> {
    use Who::{CodesOnly, Lonely, LonelyToo, NotToBeContacted, SharesNothing, Unsafe, WithTask, WithoutConsent};
    one_of(&[
        Lonely,
        Lonely,
        LonelyToo,
        LonelyToo,
        WithTask,
        WithTask,
        CodesOnly,
        SharesNothing,
        Unsafe,
        NotToBeContacted,
        WithoutConsent,
    ])
}

fn edit() -> impl Strategy<Value = Edit> {
    use Edit::{
        AnotherNumber, ContactProhibited, Died, SaysNo, SaysYes, SentAgain, TakenBack, TaskCancelled, Words,
        WordsUnsafe,
    };
    one_of(&[
        Words,
        Words,
        WordsUnsafe,
        SaysNo,
        SaysYes,
        ContactProhibited,
        Died,
        AnotherNumber,
        TakenBack,
        TakenBack,
        TakenBack,
        SentAgain,
        SentAgain,
        TaskCancelled,
    ])
}

fn answer() -> impl Strategy<Value = Answer> {
    use Answer::{Booked, CouldNot, DidNotCome, Finished, Looks, No, OnHold, Question, Started, Worried, Yes};
    one_of(&[
        Yes, Yes, Yes, Yes, No, No, Question, Booked, DidNotCome, Started, Started, Started, OnHold, Finished,
        Finished, CouldNot, Worried, Looks, Looks,
    ])
}

fn act() -> impl Strategy<Value = Act> {
    use Act::{
        Approves, Asks, Closes, ClosesAll, FilesAgain, KeepsBack, Looks, PutsBack, SaysItWasAnError, SaysSamePerson,
        SetsAside, Settles, Supports,
    };
    one_of(&[
        Looks,
        Approves,
        Approves,
        Asks(0),
        Asks(1),
        Asks(2),
        PutsBack,
        PutsBack,
        KeepsBack,
        Supports,
        Closes,
        ClosesAll,
        SaysItWasAnError,
        Settles,
        Settles,
        SaysSamePerson,
        FilesAgain,
        SetsAside,
    ])
}

fn trouble() -> impl Strategy<Value = Trouble> {
    use Trouble::{Closing, FullAfterData, Lost, LostAfterArrival, NoSuchAddress, NotNow, RefusedAfterData};
    one_of(&[
        NotNow,
        NotNow,
        NoSuchAddress,
        FullAfterData,
        RefusedAfterData,
        Closing,
        Lost,
        LostAfterArrival,
        LostAfterArrival,
    ])
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::{
        Away, Broken, Conflict, CutAfter, CutBefore, HalfAnAnswer, LoginPage, Moved, NotAllowed, Refused, TooMany,
    };
    one_of(&[
        Away,
        Away,
        TooMany,
        Broken,
        NotAllowed,
        Conflict,
        Moved,
        Refused,
        LoginPage,
        HalfAnAnswer,
        CutBefore,
        CutAfter,
        CutAfter,
    ])
}

fn moment() -> impl Strategy<Value = Moment> {
    use Moment::{Filed, MailArrived, Reading, Searching, TaskUnwritten, TaskWritten, Unfiled};
    prop_oneof![
        one_of(&[
            Searching,
            Reading,
            TaskUnwritten,
            TaskWritten,
            TaskWritten,
            Unfiled,
            Filed,
            Filed,
            MailArrived,
            MailArrived
        ]),
        (1..60_u8).prop_map(Moment::After),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let which = || one_of(&[Which::Newest, Which::Newest, Which::Newest, Which::Oldest]);
    let nth = || 0..3_u8;
    let door =
        one_of(&[Door::Searching, Door::Reading, Door::Reading, Door::WritingTask, Door::WritingTask, Door::Filing]);
    prop_oneof![
        3 => who().prop_map(Op::Refers),
        5 => (nth(), edit()).prop_map(|(nth, edit)| Op::Changes(nth, edit)),
        6 => Just(Op::Polls),
        14 => (nth(), which(), answer()).prop_map(|(nth, which, answer)| Op::Says(nth, which, answer)),
        2 => (nth(), which(), answer()).prop_map(|(nth, which, answer)| Op::SaysTwice(nth, which, answer)),
        7 => (nth(), act()).prop_map(|(nth, act)| Op::Does(nth, act)),
        4 => (one_of(&[To::Anybody, To::Anybody, To::Duty]), trouble(), 1..4_u8)
            .prop_map(|(to, trouble, times)| Op::MailMeets(to, trouble, times)),
        1 => Just(Op::MailIsAway),
        4 => (door, fault(), 1..4_u8).prop_map(|(door, fault, times)| Op::PracticeMeets(door, fault, times)),
        1 => one_of(&[Table::Events, Table::Mails, Table::Alerts, Table::Results]).prop_map(Op::DatabaseRefuses),
        1 => Just(Op::DatabaseRestarts),
        3 => Just(Op::Heals),
        4 => (1..600_u16).prop_map(Op::Minutes),
        4 => (1..4_u8).prop_map(Op::WorkingDays),
        1 => Just(Op::Restarts),
        1 => Just(Op::Dies),
        5 => moment().prop_map(Op::DiesAt),
    ]
}

/// A referral is on its way, and then anything; in between, its partner may say yes, start and finish, so that what lies
/// further along the road is reached often enough.
pub(crate) fn scenario() -> impl Strategy<Value = Vec<Op>> {
    let road = [Answer::Yes, Answer::Started, Answer::Finished];
    (who(), 0..=road.len(), prop::collection::vec(op(), 8..25)).prop_map(move |(who, far, mut ops)| {
        let apart = ops.len() / 4;
        for (step, answer) in road.into_iter().enumerate().take(far) {
            ops.insert((step + 1) * apart, Op::Says(0, Which::Newest, answer));
        }
        ops.splice(0..0, [Op::Refers(who), Op::Polls]);
        ops
    })
}
