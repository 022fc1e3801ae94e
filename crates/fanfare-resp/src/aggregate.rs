//! Aggregates that are still being read, and what becomes of them.

use std::mem;

use crate::{DecodeErrorKind, Limits, Value, value};

/// What an aggregate will be once it is whole.
#[derive(Debug)]
pub(crate) enum Aggregate {
    Array,
    Set,
    Push,
    Map,
    /// The attributes themselves are being read.
    Attributes,
    /// The attributes are known; the value they belong to comes next.
    Attributed(Vec<(Value, Value)>),
}

impl Aggregate {
    pub(crate) fn values_per_element(&self) -> usize {
        match self {
            Self::Map | Self::Attributes => 2,
            Self::Array | Self::Set | Self::Push | Self::Attributed(_) => 1,
        }
    }
}

/// An aggregate whose end has not arrived yet.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) aggregate: Aggregate,
    /// Values still to come; `None` if it is streamed.
    pub(crate) n_missing: Option<usize>,
    pub(crate) items: Vec<Value>,
}

impl Open {
    /// Adds a value, and returns the aggregate if that was the last one.
    pub(crate) fn add(
        &mut self,
        item: Value,
        limits: &Limits,
    ) -> Result<Option<Value>, DecodeErrorKind> {
        self.items.push(item);
        match &mut self.n_missing {
            Some(1) => {
                self.n_missing = Some(0);
                self.complete()
            }
            Some(n_missing) => {
                *n_missing = n_missing.saturating_sub(1);
                Ok(None)
            }
            None => {
                let n_elements = self.items.len().div_ceil(self.aggregate.values_per_element());
                check_array_len(n_elements as u64, limits)?;
                Ok(None)
            }
        }
    }

    /// All items are here: the value they make. `None` for attributes, which now wait for it.
    pub(crate) fn complete(&mut self) -> Result<Option<Value>, DecodeErrorKind> {
        let mut items = mem::take(&mut self.items);
        Ok(Some(match &mut self.aggregate {
            Aggregate::Array => Value::Array(items),
            Aggregate::Set => Value::Set(items),
            Aggregate::Push => Value::Push(items),
            Aggregate::Map => Value::Map(value::pairs(items).ok_or(DecodeErrorKind::OddMap)?),
            Aggregate::Attributes => {
                let attributes = value::pairs(items).ok_or(DecodeErrorKind::OddMap)?;
                self.aggregate = Aggregate::Attributed(attributes);
                self.n_missing = Some(1);
                return Ok(None);
            }
            Aggregate::Attributed(attributes) => match items.pop() {
                Some(value) => {
                    Value::Attribute { attributes: mem::take(attributes), value: Box::new(value) }
                }
                None => return Ok(None),
            },
        }))
    }
}

pub(crate) fn check_array_len(declared: u64, limits: &Limits) -> Result<(), DecodeErrorKind> {
    if (limits.array_len_max as u64) < declared {
        return Err(DecodeErrorKind::TooManyElements { declared, limit: limits.array_len_max });
    }
    Ok(())
}
