// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Calls the closure with texts in the form of execve(2): pointers to texts that end with a zero, and a null behind the last.
package func withArguments<Value>(_ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value) -> Value {
    // SAFETY: the copies are freed when the closure has returned, and the array lives as long as its call.
    var pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(&pointers)
}
