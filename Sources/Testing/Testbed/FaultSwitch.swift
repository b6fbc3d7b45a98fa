// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux

/// Controls a program into which `hack/testbed/faults.c` is loaded: the fault, and its step.
package struct FaultSwitch: Sendable {
    /// Built by hack/test; nil if it is missing.
    package static let library: String? = {
        let path = "\(Place.project)/.build/faults.so"
        return Files.exists(path) ? path : nil
    }()

    /// The modes of faults.c with their numbers.
    package enum Mode: Int32, Sendable {
        case off, killBefore, killAfter, stopBefore, stopAfter, fail, replaceAnswer, diskFull, count, delay
    }

    private let file: String

    /// Creates the shared file, unless it exists.
    package init(file: String) throws(SystemError) {
        self.file = file
        if !Files.exists(file) { try Files.write(file, [UInt8](repeating: 0, count: 20)) }
    }

    /// Environment variables of the program.
    package var environment: [String] { ["LD_PRELOAD=\(Self.library ?? "")", "NEARSIDE_FAULTS=\(file)"] }

    /// - Parameter error: the errno of the step; milliseconds for a delay.
    package func arm(_ mode: Mode, step: Int, error: Int32 = 0) throws(SystemError) {
        try write([mode.rawValue, Int32(step), error, 0, 0])
    }

    /// - Returns: the number of steps since the fault was armed.
    package func disarm() throws(SystemError) -> Int {
        let bytes = try Files.read(file)
        try write([0, 0, 0, 0, 0])
        guard bytes.count == 20 else { return 0 }
        return Int(bytes[12]) | Int(bytes[13]) << 8 | Int(bytes[14]) << 16
    }

    /// Writes in place, because the program under test has the file mapped.
    private func write(_ values: [Int32]) throws(SystemError) {
        let file = try Descriptor.open(file, flags: O_WRONLY)
        try file.write(all: values.flatMap { value in withUnsafeBytes(of: value) { [UInt8]($0) } })
    }
}
