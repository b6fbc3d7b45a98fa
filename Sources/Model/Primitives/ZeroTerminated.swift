// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The text of a C string: the characters before the first zero.
    package init(zeroTerminated characters: [CChar]) {
        self.init(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
