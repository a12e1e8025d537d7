//! Which data types flow in which direction.

use serde::{Deserialize, Serialize};

use crate::policy::DataType;

/// A set of data types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct DataTypes {
    /// Objects and the links between them.
    pub objects: bool,
    /// Artifacts.
    pub artifacts: bool,
}

impl DataTypes {
    /// No data.
    pub const NONE: DataTypes = DataTypes {
        objects: false,
        artifacts: false,
    };
    /// All data.
    pub const ALL: DataTypes = DataTypes {
        objects: true,
        artifacts: true,
    };

    /// Whether these data are in the set.
    pub const fn contains(self, data: DataType) -> bool {
        match data {
            DataType::Objects => self.objects,
            DataType::Artifacts => self.artifacts,
        }
    }

    /// What is in both sets.
    pub const fn and(self, other: DataTypes) -> DataTypes {
        DataTypes {
            objects: self.objects && other.objects,
            artifacts: self.artifacts && other.artifacts,
        }
    }

    /// What is in this set and not in the other.
    pub const fn without(self, other: DataTypes) -> DataTypes {
        DataTypes {
            objects: self.objects && !other.objects,
            artifacts: self.artifacts && !other.artifacts,
        }
    }

    fn bits(self) -> u8 {
        u8::from(self.objects) | u8::from(self.artifacts) << 1
    }

    const fn from_bits(bits: u8) -> DataTypes {
        DataTypes {
            objects: bits & 1 != 0,
            artifacts: bits & 2 != 0,
        }
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        !self.objects && !self.artifacts
    }
}

/// What a side exports and imports, seen from one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// What goes to the other side.
    pub exports: DataTypes,
    /// What comes from the other side.
    pub imports: DataTypes,
}

impl Flow {
    /// Nothing either way.
    pub const NONE: Flow = Flow {
        exports: DataTypes::NONE,
        imports: DataTypes::NONE,
    };

    /// The same flow, seen from the other side.
    pub const fn mirrored(self) -> Flow {
        Flow {
            exports: self.imports,
            imports: self.exports,
        }
    }

    /// What both allow.
    pub const fn and(self, other: Flow) -> Flow {
        Flow {
            exports: self.exports.and(other.exports),
            imports: self.imports.and(other.imports),
        }
    }

    /// What this one allows and the other does not.
    pub const fn without(self, other: Flow) -> Flow {
        Flow {
            exports: self.exports.without(other.exports),
            imports: self.imports.without(other.imports),
        }
    }

    /// Whether nothing flows.
    pub const fn is_empty(self) -> bool {
        self.exports.is_empty() && self.imports.is_empty()
    }

    /// One bit for each data type and direction: how a flow is written where its bytes are signed or hashed.
    pub(crate) fn bits(self) -> u8 {
        self.exports.bits() | self.imports.bits() << 2
    }

    /// The flow of these bits, if they are of one.
    pub(crate) fn from_bits(bits: u8) -> Option<Flow> {
        (bits <= 0b1111).then(|| Flow {
            exports: DataTypes::from_bits(bits),
            imports: DataTypes::from_bits(bits >> 2),
        })
    }
}
