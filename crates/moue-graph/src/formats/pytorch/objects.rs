//! What a state dict is made of.

use std::rc::Rc;

use super::values::{Element, Storage, StridedTensor};

/// Most sides of a tensor: convolutions have four.
const MAX_RANK: usize = 8;

/// A value on the machine's stack: small ones as they are, others by their place in the [`Heap`]. So values that hold
/// each other cost nothing to copy and nothing to drop, however deep a hostile file nests them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Integer(i64),
    /// A real number, which only optimizer states and the like hold: its value is not looked at.
    Real,
    Object(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Object {
    Text(Rc<str>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    /// Also an OrderedDict.
    Dictionary(Vec<(Value, Value)>),
    Callable(Callable),
    StorageType(Element),
    Storage(Storage),
    Tensor(StridedTensor),
}

/// The functions and classes that a state dict may call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callable {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
}

/// A function, class or storage type that the machine knows.
pub(super) fn global(module: &str, name: &str) -> Result<Object, String> {
    let object = match (module, name) {
        ("collections", "OrderedDict") => Object::Callable(Callable::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Object::Callable(Callable::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Object::Callable(Callable::RebuildParameter),
        ("torch", "FloatStorage") => Object::StorageType(Element::F32),
        ("torch", "HalfStorage") => Object::StorageType(Element::F16),
        ("torch", "BFloat16Storage") => Object::StorageType(Element::BF16),
        ("torch", "DoubleStorage") => Object::StorageType(Element::F64),
        ("torch", "LongStorage") => Object::StorageType(Element::I64),
        _ => {
            return Err(format!(
                "it asks for {}.{}, which a state dict of real-valued tensors does not need; nothing of it was run",
                module.escape_debug(),
                name.escape_debug()
            ));
        }
    };
    Ok(object)
}

/// All objects of a pickle, in the order in which they came up.
#[derive(Default)]
pub(super) struct Heap {
    objects: Vec<Object>,
}

impl Heap {
    pub(super) fn add(&mut self, object: Object) -> Value {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    pub(super) fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(place) => self.objects.get(place),
            _ => None,
        }
    }

    pub(super) fn object_mut(&mut self, value: Value) -> Option<&mut Object> {
        match value {
            Value::Object(place) => self.objects.get_mut(place),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, value: Value) -> Result<&[Value], String> {
        match self.object(value) {
            Some(Object::Tuple(values)) => Ok(values),
            _ => Err(format!("{} where a tuple is expected", self.kind(value))),
        }
    }

    /// What a function makes of its arguments.
    pub(super) fn call(&mut self, function: Value, arguments: Value) -> Result<Value, String> {
        let Some(&Object::Callable(callable)) = self.object(function) else {
            return Err(format!("{} is called, which is no function", self.kind(function)));
        };
        let arguments = self.tuple(arguments)?;
        match (callable, arguments) {
            (Callable::OrderedDict, []) => Ok(self.add(Object::Dictionary(Vec::new()))),
            (Callable::OrderedDict, _) => {
                Err("an OrderedDict is made with contents, expected an empty one".into())
            }
            // A parameter is the tensor in it; the rest concerns training.
            (Callable::RebuildParameter, &[tensor, _, _]) => match self.object(tensor) {
                Some(Object::Tensor(_)) => Ok(tensor),
                _ => Err(format!("a parameter of {}, expected a tensor", self.kind(tensor))),
            },
            // Newer files add metadata, such as a mark of being conjugated, which real values do not have.
            (Callable::RebuildTensor, &[storage, offset, shape, strides, _, _]) => {
                self.tensor(storage, offset, shape, strides)
            }
            (Callable::RebuildTensor, &[storage, offset, shape, strides, _, _, Value::None]) => {
                self.tensor(storage, offset, shape, strides)
            }
            (_, arguments) => Err(format!("{callable:?} is called with {} arguments", arguments.len())),
        }
    }

    fn tensor(
        &mut self,
        storage: Value,
        offset: Value,
        shape: Value,
        strides: Value,
    ) -> Result<Value, String> {
        let Some(Object::Storage(storage)) = self.object(storage) else {
            return Err(format!("a tensor in {}, expected a storage", self.kind(storage)));
        };
        let Value::Integer(offset) = offset else {
            return Err(format!("a tensor at {} of its storage, expected a number", self.kind(offset)));
        };
        let tensor = StridedTensor::new(storage.clone(), offset, &self.sides(shape)?, &self.sides(strides)?)?;
        Ok(self.add(Object::Tensor(tensor)))
    }

    /// A tuple of a few numbers.
    fn sides(&self, value: Value) -> Result<Vec<i64>, String> {
        let sides = self.tuple(value)?;
        if sides.len() > MAX_RANK {
            return Err(format!("a tensor of {} dimensions, expected at most {MAX_RANK}", sides.len()));
        }
        let number = |&side: &Value| match side {
            Value::Integer(number) => Ok(number),
            other => Err(format!("{} as a side or step of a tensor, expected a number", self.kind(other))),
        };
        sides.iter().map(number).collect()
    }

    /// The storage that a persistent id names: `("storage", type, key, device, values)`, in the older layout with a
    /// sixth entry for views of other storages.
    pub(super) fn storage(&self, id: Value) -> Result<Storage, String> {
        let id = self.tuple(id)?;
        let (kind, key, count) = match *id {
            [tag, kind, key, _device, count] | [tag, kind, key, _device, count, Value::None] if matches!(self.object(tag), Some(Object::Text(tag)) if &**tag == "storage") => {
                (kind, key, count)
            }
            _ => {
                return Err(
                    "a persistent id that is not (\"storage\", type, key, device, values): views of \
                            storages of very old files are not supported"
                        .into(),
                );
            }
        };
        match (self.object(kind), self.object(key), count) {
            (Some(&Object::StorageType(element)), Some(Object::Text(key)), Value::Integer(count))
                if count >= 0 =>
            {
                Ok(Storage { element, key: Rc::clone(key), count: count as u64 })
            }
            _ => Err(format!(
                "a storage of {}, {} and {}, expected a type, a key and a number of values",
                self.kind(kind),
                self.kind(key),
                self.kind(count)
            )),
        }
    }

    /// A noun phrase for messages.
    pub(super) fn kind(&self, value: Value) -> &'static str {
        match value {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Integer(_) => "a number",
            Value::Real => "a real number",
            Value::Object(_) => match self.object(value) {
                Some(Object::Text(_)) => "a string",
                Some(Object::Tuple(_)) => "a tuple",
                Some(Object::List(_)) => "a list",
                Some(Object::Dictionary(_)) => "a dictionary",
                Some(Object::Callable(_)) => "a function",
                Some(Object::StorageType(_)) => "a storage type",
                Some(Object::Storage(_)) => "a storage",
                Some(Object::Tensor(_)) => "a tensor",
                None => "nothing",
            },
        }
    }
}
