// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux

/// Tells a program into which `hack/testbed/faults.c` was loaded what is to happen to it, and at which of its steps.
package struct FaultSwitch: Sendable {
    /// Built by hack/test; nil where it is not.
    package static let library: String? = {
        let path = "\(Place.project)/.build/faults.so"
        return Files.exists(path) ? path : nil
    }()

    /// As faults.c numbers them.
    package enum Mode: Int32, Sendable {
        case off, killBefore, killAfter, stopBefore, stopAfter, fail, replaceAnswer, diskFull, count, delay
    }

    private let file: String

    /// Makes the file by which the program is told, where there is none.
    package init(file: String) throws(SystemError) {
        self.file = file
        if !Files.exists(file) { try Files.write(file, [UInt8](repeating: 0, count: 20)) }
    }

    /// Variables for the environment of a program.
    package var environment: [String] { ["LD_PRELOAD=\(Self.library ?? "")", "NEARSIDE_FAULTS=\(file)"] }

    /// - Parameter error: what a step fails with; milliseconds for a delay.
    package func arm(_ mode: Mode, step: Int, error: Int32 = 0) throws(SystemError) {
        try write([mode.rawValue, Int32(step), error, 0, 0])
    }

    /// - Returns: how many steps there were since it was armed.
    package func disarm() throws(SystemError) -> Int {
        let bytes = try Files.read(file)
        try write([0, 0, 0, 0, 0])
        guard bytes.count == 20 else { return 0 }
        return Int(bytes[12]) | Int(bytes[13]) << 8 | Int(bytes[14]) << 16
    }

    /// In place: the file is mapped by the program under test.
    private func write(_ values: [Int32]) throws(SystemError) {
        let file = try Descriptor.open(file, flags: O_WRONLY)
        try file.write(all: values.flatMap { value in withUnsafeBytes(of: value) { [UInt8]($0) } })
    }
}
