// SPDX-License-Identifier: Apache-2.0

/// Classes of ASCII characters, for byte-wise checks. No class contains a byte of 0x80 or above.
extension UInt8 {
    /// `0` to `9`
    package var isASCIIDigit: Bool { (0x30...0x39).contains(self) }

    /// `a` to `z`
    package var isASCIILowercase: Bool { (0x61...0x7a).contains(self) }

    /// `A` to `Z`
    package var isASCIIUppercase: Bool { (0x41...0x5a).contains(self) }

    /// `a` to `z`, `A` to `Z` and `0` to `9`
    package var isASCIIAlphanumeric: Bool { isASCIILowercase || isASCIIUppercase || isASCIIDigit }

    /// `a` to `z` and `0` to `9`
    package var isASCIILowercaseAlphanumeric: Bool { isASCIILowercase || isASCIIDigit }
}
