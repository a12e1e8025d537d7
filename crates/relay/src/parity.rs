//! Redundancy for ways without a way back: files that are lost are rebuilt from what came.
//!
//! The files of a group, each filled up to the length of the longest, are the shards of a Reed-Solomon code. Any so many
//! shards as there are files give all files again, whichever they are. What is rebuilt is compared with the digest that
//! the sender signed.

use std::collections::BTreeMap;

use bytes::Bytes;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use crate::Digest;
use crate::record::{Member, Shard};

/// The most bundles of one group.
pub const MEMBERS_MAX: usize = 4_096;
/// How much longer a file of redundancy is than the longest file it is for, at most: its header, its list of members and
/// its sealing. Who adds redundancy writes the other files so much shorter than the link allows.
pub const OVERHEAD_BYTES_MAX: usize = MEMBERS_MAX * Member::BYTES + (64 << 10) + (32 << 10);
/// The loss that is made good unless the link says otherwise, in percent.
pub const LOSS_PERCENT: u8 = 20;
/// The most loss that can be made good.
pub const LOSS_PERCENT_MAX: u8 = 80;

/// Why there is no redundancy for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a group has 1 to {MEMBERS_MAX} files that are not empty, and its loss is 1 to {LOSS_PERCENT_MAX} percent"
)]
pub struct CannotProtect;

/// Why nothing was rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotRebuild {
    /// There are too few files and shards.
    #[error("{missing} files are missing, and {shards} shards of redundancy are there")]
    TooFew {
        /// Files that are not there, or not whole.
        missing: usize,
        /// Shards that are there.
        shards: usize,
    },
    /// The shards contradict themselves or each other.
    #[error("the redundancy is not of one group")]
    Unsound,
    /// The group takes more memory than it may.
    #[error("the group takes {bytes} bytes, and {max} is the most")]
    TooLarge {
        /// How much it takes.
        bytes: u64,
        /// How much it may take.
        max: u64,
    },
}

/// How many shards make good the loss of so many percent of all files of a group, their own files included.
pub fn recovery_shards(files: usize, loss_percent: u8) -> usize {
    let loss = usize::from(loss_percent.min(LOSS_PERCENT_MAX));
    (files * loss).div_ceil(100 - loss).max(1)
}

/// The redundancy for these files of one epoch, the first of which has this number and which follow each other.
pub fn shards(first: u64, files: &[Bytes], loss_percent: u8) -> Result<Vec<Shard>, CannotProtect> {
    let sound = (1..=MEMBERS_MAX).contains(&files.len())
        && (1..=LOSS_PERCENT_MAX).contains(&loss_percent)
        && files.iter().all(|file| !file.is_empty());
    let longest = files.iter().map(Bytes::len).max().filter(|_| sound);
    let length = even(longest.ok_or(CannotProtect)?);
    let count = recovery_shards(files.len(), loss_percent);
    let members = files.iter().map(|file| {
        Some(Member {
            bytes: u32::try_from(file.len()).ok()?,
            digest: Digest::of(file),
        })
    });
    let members = members.collect::<Option<Vec<_>>>().ok_or(CannotProtect)?;
    let encoded = || {
        let mut encoder = ReedSolomonEncoder::new(files.len(), count, length)?;
        for file in files {
            encoder.add_original_shard(filled(file, length))?;
        }
        let result = encoder.encode()?;
        Ok(result
            .recovery_iter()
            .map(Bytes::copy_from_slice)
            .collect::<Vec<_>>())
    };
    let encoded = encoded().map_err(|_: reed_solomon_simd::Error| CannotProtect)?;
    let shard_bytes = u32::try_from(length).map_err(|_| CannotProtect)?;
    let recovery_shards = u32::try_from(count).map_err(|_| CannotProtect)?;
    let shard = |(bytes, index)| Shard {
        first,
        members: members.clone(),
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    };
    Ok(encoded.into_iter().zip(0..).map(shard).collect())
}

/// The files of a group that are missing, by number. Those that are there are given by number too; one that is not what
/// the group says counts as missing. At most `bytes_max` of memory are taken.
pub fn rebuild(
    shards: &[Shard],
    files: &BTreeMap<u64, Bytes>,
    bytes_max: u64,
) -> Result<BTreeMap<u64, Bytes>, CannotRebuild> {
    let group = shards.first().ok_or(CannotRebuild::TooFew {
        missing: 0,
        shards: 0,
    })?;
    let length = sound(group, shards)?;
    let shards = shards
        .iter()
        .map(|shard| (shard.index, &shard.bytes))
        .collect::<BTreeMap<_, _>>();
    let bytes = (group.members.len() + shards.len()) as u64 * length as u64;
    if bytes > bytes_max {
        return Err(CannotRebuild::TooLarge {
            bytes,
            max: bytes_max,
        });
    }
    let place = |number: u64| group.first.saturating_add(number);
    let numbered = || (0_u64..).zip(&group.members);
    let there = |(number, member): &(u64, &Member)| {
        let file = files.get(&place(*number))?;
        (file.len() as u64 == u64::from(member.bytes) && Digest::of(file) == member.digest).then_some(file)
    };
    let missing = numbered().filter(|one| there(one).is_none()).count();
    if missing == 0 {
        return Ok(BTreeMap::new());
    }
    if missing > shards.len() {
        return Err(CannotRebuild::TooFew {
            missing,
            shards: shards.len(),
        });
    }
    let decoded = || {
        let mut decoder =
            ReedSolomonDecoder::new(group.members.len(), group.recovery_shards as usize, length)?;
        for (index, one) in numbered().enumerate() {
            if let Some(file) = there(&one) {
                decoder.add_original_shard(index, filled(file, length))?;
            }
        }
        for (index, bytes) in &shards {
            decoder.add_recovery_shard(*index as usize, bytes)?;
        }
        let result = decoder.decode()?;
        let restored = result.restored_original_iter();
        Ok(restored
            .map(|(index, bytes)| (index, Bytes::copy_from_slice(bytes)))
            .collect::<BTreeMap<_, _>>())
    };
    let restored = decoded().map_err(|_: reed_solomon_simd::Error| CannotRebuild::Unsound)?;
    let file = |(index, bytes): (usize, Bytes)| {
        let member = group.members.get(index)?;
        let file = bytes.slice(..bytes.len().min(member.bytes as usize));
        (Digest::of(&file) == member.digest).then(|| (place(index as u64), file))
    };
    let rebuilt = restored.into_iter().map(file).collect::<Option<BTreeMap<_, _>>>();
    rebuilt.ok_or(CannotRebuild::Unsound)
}

/// The length of the shards, if they are of one group and within its bounds.
fn sound(group: &Shard, shards: &[Shard]) -> Result<usize, CannotRebuild> {
    let length = group.shard_bytes as usize;
    let of_group = |shard: &Shard| {
        (shard.first, shard.shard_bytes, shard.recovery_shards)
            == (group.first, group.shard_bytes, group.recovery_shards)
            && shard.members == group.members
            && shard.bytes.len() == length
            && shard.index < shard.recovery_shards
    };
    let longest = group.members.iter().map(|member| member.bytes).max();
    let bounded = (1..=MEMBERS_MAX).contains(&group.members.len())
        && longest.is_some_and(|longest| longest > 0 && even(longest as usize) == length)
        && group.recovery_shards as usize <= recovery_shards(MEMBERS_MAX, LOSS_PERCENT_MAX);
    if bounded && shards.iter().all(of_group) {
        Ok(length)
    } else {
        Err(CannotRebuild::Unsound)
    }
}

const fn even(length: usize) -> usize {
    length + length % 2
}

fn filled(file: &[u8], length: usize) -> Vec<u8> {
    let mut shard = Vec::with_capacity(length);
    shard.extend_from_slice(file);
    shard.resize(length, 0);
    shard
}
