// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A parser of outside input as a function that must not trap, hang or grow without bound.
struct Surface: Sendable {
    var name: String
    /// The limit of inputs in bytes.
    var limit: Int
    var parse: @Sendable ([UInt8]) -> Void

    static let all: [Surface] = [.netlink, .session, .claim, .journal, .topology]
}

/// The entry of libFuzzer as a library (compiler-rt, FuzzerDriver.cpp): `argc`, `argv` and the function under test.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The surface under test; `main` sets it before the first input.
nonisolated(unsafe) private var surface = Surface.claim

/// `NEARSIDE_FUZZ=SURFACE nearside-fuzz [libFuzzer's arguments and corpus folders]`, started by `hack/fuzz`. The surface is a variable,
/// because libFuzzer restarts itself with its own arguments.
@main
enum Fuzz {
    static func main() {
        guard let name = getenv("NEARSIDE_FUZZ").map({ String(cString: $0) }), let found = Surface.all.first(where: { $0.name == name })
        else {
            print("nearside-fuzz: NEARSIDE_FUZZ is one of \(Surface.all.map(\.name).joined(separator: ", "))")
            exit(64)
        }
        surface = found
        let arguments = CommandLine.arguments.prefix(1) + ["-max_len=\(found.limit)"] + CommandLine.arguments.dropFirst()
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { argument in strdup(argument) }
        var count = Int32(words.count)
        words.append(nil)
        let status = words.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard var start = buffer.baseAddress else { return 70 }
            return runDriver(&count, &start) { bytes, size in
                surface.parse([UInt8](UnsafeBufferPointer(start: bytes, count: size)))
                return 0
            }
        }
        exit(status)
    }
}
