//! What follows, place by place, from what was written last, what stands there, and what git says. Plain functions of
//! prints: nothing is read or written here.

use super::{place::Place, value::Print};
use std::collections::{BTreeMap, BTreeSet};

/// The three sides of a place; `None` is that nothing is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sides {
    /// What Drydock wrote there last, if it ever did.
    pub(super) base: Option<Print>,
    /// What stands there.
    pub(super) actual: Option<Print>,
    /// What git says.
    pub(super) desired: Option<Print>,
}

/// What is to become of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as git says, and is Drydock's from now on.
    Own,
    /// Git says another thing than before: it is written.
    Write,
    /// Git says nothing of it any more, and it is as Drydock wrote it: it goes.
    Remove,
    /// Somebody changed it here, and git did not.
    Drift,
    /// Git and somebody here changed it, in two ways.
    Conflict,
    /// Git says nothing of it any more, and it is not as Drydock wrote it: it stays, and is the user's.
    Release,
}

/// What follows for one place; `None` where all is well.
pub(super) fn step(sides: &Sides) -> Option<Step> {
    let Sides { base, actual, desired } = sides;
    match (base, desired) {
        (None, None) => None,
        (Some(base), Some(desired)) if actual.as_ref() == Some(desired) => {
            (base != desired).then_some(Step::Own)
        }
        (None, Some(desired)) if actual.as_ref() == Some(desired) => Some(Step::Own),
        (None, Some(_)) if actual.is_none() => Some(Step::Write),
        // Never written by Drydock, and something else is there: that is the user's.
        (None, Some(_)) => Some(Step::Conflict),
        (Some(base), Some(desired)) => match (actual.as_ref() == Some(base), base == desired) {
            (true, false) => Some(Step::Write),
            (false, true) => Some(Step::Drift),
            (false, false) => Some(Step::Conflict),
            // Both are the same, and so is what stands there: it was handled above.
            (true, true) => None,
        },
        (Some(base), None) if actual.as_ref() == Some(base) => Some(Step::Remove),
        (Some(_), None) => Some(Step::Release),
    }
}

/// What follows for all places.
pub(super) fn plan(
    base: &BTreeMap<Place, Print>,
    actual: &BTreeMap<Place, Print>,
    desired: &BTreeMap<Place, Print>,
    waiting: &BTreeSet<Place>,
) -> BTreeMap<Place, (Step, Sides)> {
    let places: BTreeSet<_> = base.keys().chain(desired.keys()).collect();
    places
        .into_iter()
        // What cannot be said yet, since a secret is missing, is not what git does not say.
        .filter(|place| !waiting.contains(*place))
        .filter_map(|place| {
            let sides = Sides {
                base: base.get(place).cloned(),
                actual: actual.get(place).cloned(),
                desired: desired.get(place).cloned(),
            };
            step(&sides).map(|step| (place.clone(), (step, sides)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print() -> impl Strategy<Value = Option<Print>> {
        prop_oneof![
            Just(None),
            prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(|text| Some(Print::of(text)))
        ]
    }

    fn sides() -> impl Strategy<Value = Sides> {
        (print(), print(), print()).prop_map(|(base, actual, desired)| Sides { base, actual, desired })
    }

    /// What the three sides are once a step was done.
    fn done(sides: &Sides, step: Option<Step>) -> Sides {
        let Sides { base, actual, desired } = sides.clone();
        match step {
            None | Some(Step::Drift | Step::Conflict) => sides.clone(),
            Some(Step::Own | Step::Write | Step::Remove) => {
                Sides { base: desired.clone(), actual: desired.clone(), desired }
            }
            Some(Step::Release) => Sides {
                base: None,
                actual,
                desired: {
                    drop(base);
                    desired
                },
            },
        }
    }

    proptest! {
        #[test]
        fn what_somebody_changed_here_is_never_written_over(sides in sides()) {
            let found = step(&sides);
            if matches!(found, Some(Step::Write | Step::Remove)) {
                prop_assert_eq!(&sides.actual, &sides.base);
            }
        }

        #[test]
        fn only_what_drydock_wrote_is_ever_removed(sides in sides()) {
            if step(&sides) == Some(Step::Remove) {
                prop_assert!(sides.base.is_some() && sides.base == sides.actual && sides.desired.is_none());
            }
        }

        #[test]
        fn after_the_steps_nothing_but_drift_and_conflicts_is_left(sides in sides()) {
            let first = step(&sides);
            let second = step(&done(&sides, first));
            match first {
                Some(Step::Drift | Step::Conflict) => prop_assert_eq!(second, first),
                _ => prop_assert_eq!(second, None),
            }
        }

        #[test]
        fn a_place_that_is_as_git_says_needs_nothing_written(sides in sides()) {
            if sides.actual == sides.desired && sides.desired.is_some() {
                prop_assert!(matches!(step(&sides), None | Some(Step::Own)));
            }
        }

        #[test]
        fn drift_is_seen_exactly_where_only_this_side_changed(sides in sides()) {
            let is_drift = sides.base.is_some() && sides.base == sides.desired && sides.actual != sides.base;
            prop_assert_eq!(step(&sides) == Some(Step::Drift), is_drift);
        }
    }

    #[test]
    fn a_place_that_waits_for_a_secret_is_neither_removed_nor_changed() {
        let place = Place::file("CLAUDE.md");
        let one = BTreeMap::from([(place.clone(), Print::of("a"))]);
        let none = BTreeMap::new();
        assert_eq!(plan(&one, &one, &none, &BTreeSet::new())[&place].0, Step::Remove);
        assert!(plan(&one, &one, &none, &BTreeSet::from([place])).is_empty());
    }
}
