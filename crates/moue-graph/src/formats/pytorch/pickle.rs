//! A machine for pickles of protocol 2 (<https://peps.python.org/pep-0307/>, opcodes as in CPython's `pickletools`),
//! with the opcodes that `torch.save` writes and no others.

use std::collections::{BTreeMap, HashMap};

use super::Fault;
use super::objects::{Heap, Object, Value, global};
use super::values::Storage;

/// Longest pickle: one of a thousand tensors has 200 kB.
pub(super) const MAX_PICKLE: usize = 16 << 20;

/// Most opcodes of a pickle; each makes one object at most.
const MAX_STEPS: usize = 4_000_000;

/// What a pickle gave.
pub(super) struct Unpickled {
    /// The object.
    pub(super) root: Value,
    /// All objects.
    pub(super) heap: Heap,
    /// The storages it speaks of, by key.
    pub(super) storages: BTreeMap<String, Storage>,
    /// The byte behind the pickle.
    pub(super) end: usize,
}

/// Runs the pickle that begins at byte `start`; faults count bytes from the beginning of `bytes`.
pub(super) fn run(bytes: &[u8], start: usize) -> Result<Unpickled, Fault> {
    let end = bytes.len().min(start.saturating_add(MAX_PICKLE));
    let mut machine = Machine {
        bytes: &bytes[..end],
        at: start,
        heap: Heap::default(),
        storages: BTreeMap::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_STEPS {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let Machine { heap, storages, at: end, .. } = machine;
                return Ok(Unpickled { root, heap, storages, end });
            }
            Err(reason) => return Err(Fault { at, reason }),
        }
    }
    Err(Fault { at: machine.at, reason: format!("the pickle has more than {MAX_STEPS} steps, the limit") })
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    heap: Heap,
    storages: BTreeMap<String, Storage>,
    stack: Vec<Value>,
    /// Heights of the stack at which a MARK was set.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl Machine<'_> {
    /// Runs one opcode; gives the pickle's object at its end.
    fn step(&mut self) -> Result<Option<Value>, String> {
        match self.byte()? {
            // PROTO
            0x80 => match self.byte()? {
                2 => {}
                other => return Err(format!("the pickle has protocol {other}, expected 2")),
            },
            // STOP
            b'.' => return self.pop().map(Some),
            // MARK
            b'(' => self.marks.push(self.stack.len()),
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            // BININT, BININT1, BININT2, LONG1
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Integer(number.into()));
            }
            b'K' => {
                let number = self.byte()?;
                self.stack.push(Value::Integer(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Integer(number.into()));
            }
            0x8a => {
                let number = self.long()?;
                self.stack.push(Value::Integer(number));
            }
            // BINFLOAT
            b'G' => {
                self.array::<8>()?;
                self.stack.push(Value::Real);
            }
            // BINUNICODE, SHORT_BINSTRING (Python 2)
            b'X' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text(length as usize)?;
            }
            b'U' => {
                let length = self.byte()?;
                self.text(length.into())?;
            }
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.push(Object::Tuple(Vec::new())),
            count @ 0x85..=0x87 => {
                let mut values = vec![Value::None; usize::from(count - 0x84)];
                for value in values.iter_mut().rev() {
                    *value = self.pop()?;
                }
                self.push(Object::Tuple(values));
            }
            b't' => {
                let values = self.since_mark()?;
                self.push(Object::Tuple(values));
            }
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.push(Object::List(Vec::new())),
            b'a' => {
                let value = self.pop()?;
                self.append(&[value])?;
            }
            b'e' => {
                let values = self.since_mark()?;
                self.append(&values)?;
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.push(Object::Dictionary(Vec::new())),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let entries = self.since_mark()?;
                self.set(&entries)?;
            }
            // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            b'q' => {
                let place = self.byte()?;
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.array()?);
                self.remember(place)?;
            }
            b'h' => {
                let place = self.byte()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place)?;
            }
            // GLOBAL
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.push(global(&module, &name)?);
            }
            // REDUCE
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let made = self.heap.call(function, arguments)?;
                self.stack.push(made);
            }
            // BUILD: a state dict carries the versions of its modules, which say nothing about its tensors.
            b'b' => {
                self.pop()?;
                let object = self.top()?;
                if !matches!(self.heap.object(object), Some(Object::Dictionary(_))) {
                    return Err(format!("sets a state of {}, expected a dictionary", self.heap.kind(object)));
                }
            }
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                let storage = self.heap.storage(id)?;
                let known = self.storages.entry(storage.key.to_string()).or_insert_with(|| storage.clone());
                if (known.element, known.count) != (storage.element, storage.count) {
                    return Err(format!("storage {} has two types or sizes", storage.key.escape_debug()));
                }
                self.push(Object::Storage(storage));
            }
            other => return Err(format!("opcode 0x{other:02x} is not one that a state dict needs")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let piece = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let piece = piece.ok_or_else(|| {
            format!("{count} bytes are missing: the pickle is cut off or longer than {MAX_PICKLE} bytes, the limit")
        })?;
        self.at += count;
        Ok(piece)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array().map(|[byte]| byte)
    }

    /// A number of as many bytes as the first one says, in two's complement.
    fn long(&mut self) -> Result<i64, String> {
        let length = self.byte()?;
        let bytes = self.take(length.into())?;
        if bytes.len() > 8 {
            return Err("a whole number beyond 64 bits".into());
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(number))
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| "a string that is not UTF-8")?;
        let object = Object::Text(text.into());
        self.push(object);
        Ok(())
    }

    /// Text up to the next line break.
    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // Names of Python are short; a file of one endless line is none.
        let length = rest.iter().take(256).position(|&b| b == b'\n').ok_or("a name without end")?;
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| "a name that is not UTF-8")?.to_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn push(&mut self, object: Object) {
        let value = self.heap.add(object);
        self.stack.push(value);
    }

    fn top(&self) -> Result<Value, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.get(floor..).and_then(<[Value]>::last).copied().ok_or_else(|| "the stack is empty".into())
    }

    fn pop(&mut self) -> Result<Value, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, values: &[Value]) -> Result<(), String> {
        let list = self.top()?;
        match self.heap.object_mut(list) {
            Some(Object::List(items)) => items.extend_from_slice(values),
            _ => return Err(format!("appends to {}, expected a list", self.heap.kind(list))),
        }
        Ok(())
    }

    fn set(&mut self, entries: &[Value]) -> Result<(), String> {
        let dictionary = self.top()?;
        let (pairs, rest) = entries.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".into());
        }
        match self.heap.object_mut(dictionary) {
            Some(Object::Dictionary(known)) => known.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(format!("sets items of {}, expected a dictionary", self.heap.kind(dictionary))),
        }
        Ok(())
    }

    fn remember(&mut self, place: u32) -> Result<(), String> {
        let value = self.top()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), String> {
        let value =
            *self.memo.get(&place).ok_or_else(|| format!("place {place} of the memo was never filled"))?;
        self.stack.push(value);
        Ok(())
    }
}
