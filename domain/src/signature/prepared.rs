//! Many signatures of few keys: the same verdicts as [`PublicKey::verify`], at a third of the cost.
//!
//! A *prepared key* carries multiples of its point, so that checking needs additions alone and no
//! doublings; the last step, which needs an inversion, is shared by all claims of a call. Each
//! claim is judged by itself and exactly as the strict check judges it: the scalar is in range,
//! neither key nor commitment is of small order, and the commitment computed is, byte for byte,
//! the one claimed. Deliberately absent: the usual batch equation. It is faster still, but says
//! only that all are good or some are not, and accepts signatures that the strict check refuses
//! (those whose error is of small order), so that two readers of one book could disagree.

use std::fmt;
use std::sync::LazyLock;

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

use super::{Context, PublicKey, Signature};

/// Bits a digit of a key's table has: 82 KB a key. One bit more is an eighth faster and takes 133.
const KEY_DIGIT_BITS: usize = 4;
/// Bits a digit of the base point's table has; there is one such table in a process, of 0.7 MB.
const BASE_DIGIT_BITS: usize = 8;

static BASE: LazyLock<Multiples> =
    LazyLock::new(|| Multiples::new(ED25519_BASEPOINT_POINT, BASE_DIGIT_BITS));

/// The encodings of the eight points of small order: no honest commitment is one of them.
static SMALL_ORDER: LazyLock<[CompressedEdwardsY; 8]> =
    LazyLock::new(|| EIGHT_TORSION.map(|point| point.compress()));

/// A public key that has been made ready to check many signatures.
pub struct PreparedKey {
    key: PublicKey,
    small_order: bool,
    /// Multiples of the key's point, negated.
    negated: Multiples,
}

impl PreparedKey {
    /// Prepares a key; worth its cost from the sixth signature on.
    ///
    /// # Panics
    /// Never: the bytes of a public key are a point of the curve.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        let point = CompressedEdwardsY(*key.as_bytes())
            .decompress()
            .expect("a public key's bytes are a point");
        Self {
            key,
            small_order: point.is_small_order(),
            negated: Multiples::new(-point, KEY_DIGIT_BITS),
        }
    }
}

impl fmt::Debug for PreparedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedKey").field(&self.key).finish()
    }
}

/// A payload, and a signature that is said to be a key's over it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Whose signature it should be.
    pub key: &'a PreparedKey,
    /// What was signed.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

/// For each claim, in order, whether [`PublicKey::verify`] would accept it.
#[must_use]
pub fn verify_each(context: Context, claims: &[Claim<'_>]) -> Vec<bool> {
    let commitments: Vec<Option<EdwardsPoint>> =
        claims.iter().map(|claim| commitment(context, claim)).collect();
    let points: Vec<EdwardsPoint> = commitments.iter().copied().flatten().collect();
    let mut encoded = EdwardsPoint::compress_batch_alloc(&points).into_iter();
    let matches = |(claim, commitment): (&Claim<'_>, &Option<EdwardsPoint>)| {
        commitment.is_some()
            && encoded.next().is_some_and(|computed| {
                computed.as_bytes()[..] == claim.signature.0[..32]
                    && !SMALL_ORDER.contains(&computed)
            })
    };
    claims.iter().zip(&commitments).map(matches).collect()
}

/// The commitment that a good signature with this scalar would carry.
fn commitment(context: Context, claim: &Claim<'_>) -> Option<EdwardsPoint> {
    let (commitment, scalar) = claim.signature.0.split_at(32);
    let scalar: Option<Scalar> = Scalar::from_canonical_bytes(scalar.try_into().ok()?).into();
    let challenge = Sha512::new()
        .chain_update(commitment)
        .chain_update(claim.key.key.as_bytes())
        .chain_update(context.tag())
        .chain_update(claim.payload)
        .finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&challenge.into());
    if claim.key.small_order {
        return None;
    }
    let sum = claim.key.negated.add_multiple(EdwardsPoint::identity(), &challenge);
    Some(BASE.add_multiple(sum, &scalar?))
}

/// Multiples of one point: for each digit of a scalar, the point times 1 to half the digit's range.
struct Multiples {
    digit_bits: usize,
    points: Vec<EdwardsPoint>,
}

impl Multiples {
    fn new(point: EdwardsPoint, digit_bits: usize) -> Self {
        let digits = 256_usize.div_ceil(digit_bits);
        let half = 1_usize << (digit_bits - 1);
        let mut points = Vec::with_capacity(digits * half);
        let mut unit = point;
        for _ in 0..digits {
            let mut multiple = unit;
            for _ in 0..half {
                points.push(multiple);
                multiple += unit;
            }
            // The last one stored is half the next digit's unit.
            let last = points[points.len() - 1];
            unit = last + last;
        }
        Self { digit_bits, points }
    }

    /// Adds the point times a scalar. Its time depends on the scalar: only for what is public.
    fn add_multiple(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let bytes = scalar.as_bytes();
        let half = 1_usize << (self.digit_bits - 1);
        let mut carry = 0;
        for (place, multiples) in self.points.chunks_exact(half).enumerate() {
            let bit = place * self.digit_bits;
            let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or(0));
            let bits = (byte(bit / 8) | byte(bit / 8 + 1) << 8) >> (bit % 8);
            let digit = (bits & (2 * half - 1)) + carry;
            // A digit of the upper half is taken from the next one.
            carry = usize::from(digit > half);
            if carry == 1 {
                let below = 2 * half - digit;
                if below > 0 {
                    sum -= multiples[below - 1];
                }
            } else if digit > 0 {
                sum += multiples[digit - 1];
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signature::SecretKey;

    fn check(key: PublicKey, payload: &[u8], signature: &Signature) -> bool {
        let prepared = PreparedKey::new(key);
        let verdict =
            verify_each(Context::Passage, &[Claim { key: &prepared, payload, signature }])[0];
        let strict = key.verify(Context::Passage, payload, signature).is_ok();
        assert_eq!(verdict, strict, "{key:?} {signature:?}");
        verdict
    }

    proptest! {
        #[test]
        fn every_verdict_is_that_of_the_strict_check(
            seed: [u8; 32],
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            flip in 0_usize..512,
            damage in 0..4,
        ) {
            let key = SecretKey::from_seed(&seed);
            let mut signature = key.sign(Context::Passage, &payload);
            let mut payload = payload;
            match damage {
                0 => prop_assert!(check(key.public(), &payload, &signature)),
                1 => {
                    signature.0[flip / 8] ^= 1 << (flip % 8);
                    prop_assert!(!check(key.public(), &payload, &signature));
                }
                2 => {
                    payload.push(0);
                    prop_assert!(!check(key.public(), &payload, &signature));
                }
                _ => {
                    let other = SecretKey::from_seed(&[seed[0] ^ 1; 32]);
                    prop_assert!(!check(other.public(), &payload, &signature));
                }
            }
        }
    }

    #[test]
    fn one_bad_claim_leaves_its_neighbours_good() {
        let keys: Vec<SecretKey> = (0..5).map(|seed| SecretKey::from_seed(&[seed; 32])).collect();
        let prepared: Vec<PreparedKey> =
            keys.iter().map(|key| PreparedKey::new(key.public())).collect();
        let payloads: Vec<Vec<u8>> = (0..40_u8).map(|number| vec![number; 50]).collect();
        let signatures: Vec<Signature> = payloads
            .iter()
            .enumerate()
            .map(|(at, payload)| keys[at % 5].sign(Context::Passage, payload))
            .collect();
        let claim = |at: usize| Claim {
            key: &prepared[if at % 7 == 3 { (at + 1) % 5 } else { at % 5 }],
            payload: &payloads[at],
            signature: &signatures[at],
        };
        let claims: Vec<Claim<'_>> = (0..40).map(claim).collect();
        let expected: Vec<bool> = (0..40).map(|at| at % 7 != 3).collect();
        assert_eq!(verify_each(Context::Passage, &claims), expected);
        assert_eq!(verify_each(Context::Receipt, &claims), [false; 40]);
    }

    #[test]
    fn what_has_a_part_of_small_order_is_judged_as_strictly() {
        // Keys and commitments of small order, with scalars for which the equation holds: zero,
        // and whatever the challenge makes of it.
        for point in EIGHT_TORSION {
            let Ok(key) = PublicKey::try_from_slice(point.compress().as_bytes()) else { continue };
            for commitment in EIGHT_TORSION {
                let mut bytes = [0; 64];
                bytes[..32].copy_from_slice(commitment.compress().as_bytes());
                for number in 0..16_u8 {
                    assert!(!check(key, &[number], &Signature(bytes)));
                }
            }
        }
        // An honest key whose commitment is moved by a point of small order: the batch equation
        // may let it pass, the strict check never does.
        let key = SecretKey::from_seed(&[3; 32]);
        for torsion in EIGHT_TORSION.iter().skip(1) {
            let mut signature = key.sign(Context::Passage, b"moved");
            let honest: [u8; 32] = signature.0[..32].try_into().unwrap();
            let moved = CompressedEdwardsY(honest).decompress().unwrap() + torsion;
            signature.0[..32].copy_from_slice(moved.compress().as_bytes());
            assert!(!check(key.public(), b"moved", &signature));
        }
    }

    #[test]
    fn a_scalar_out_of_range_is_refused() {
        let key = SecretKey::from_seed(&[4; 32]);
        let mut signature = key.sign(Context::Passage, b"again");
        // Plus the group's order: the same point, another encoding.
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10_u8,
        ];
        let mut carry = 0;
        for (byte, add) in signature.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert!(!check(key.public(), b"again", &signature));
    }
}
