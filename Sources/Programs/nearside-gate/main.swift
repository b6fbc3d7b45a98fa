// SPDX-License-Identifier: Apache-2.0

// nearside-gate --claim UID --socket PATH: an OCI createRuntime hook. The runtime writes the container's state to
// standard input and waits; a status other than 0 keeps the container from starting.
// nearside-gate --self-test: exits with status 0, which proves that the host can execute the file.

import ControlProtocol
import Glibc
import Linux
import Primitives

func refuse(_ why: String) -> Never {
    StandardStream.error.write("nearside-gate: \(why)\n")
    exit(1)
}

/// Returns the number after `"pid":` in the OCI state, which has one field of that name.
func processID(in state: [UInt8]) -> Int32? {
    let text = String(decoding: state, as: UTF8.self)
    let key = Array("\"pid\"".utf8)
    let bytes = Array(text.utf8)
    guard bytes.count > key.count else { return nil }
    for start in 0...(bytes.count - key.count) where Array(bytes[start..<start + key.count]) == key {
        var rest = bytes[(start + key.count)...].drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        guard rest.first == UInt8(ascii: ":") else { continue }
        rest = rest.dropFirst().drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        return Int32(String(decoding: rest.prefix(while: \.isASCIIDigit), as: UTF8.self))
    }
    return nil
}

var claim: String?
var socket = "/run/nearside-nri/nri.sock"
var arguments = CommandLine.arguments.dropFirst()
if Array(arguments) == ["--self-test"] { exit(0) }
while let name = arguments.popFirst() {
    guard let value = arguments.popFirst() else { refuse("\(name) has no value; usage: nearside-gate --claim UID [--socket PATH]") }
    switch name {
    case "--claim": claim = value
    case "--socket": socket = value
    default: refuse("unknown option \(name); usage: nearside-gate --claim UID [--socket PATH]")
    }
}
guard let claim else { refuse("--claim is missing; usage: nearside-gate --claim UID [--socket PATH]") }

signal(SIGPIPE, SIG_IGN)
do {
    // The runtime may start this program before it writes to the pipe.
    let state = try StandardStream.input.readToEnd(limit: 1 << 20)
    guard let process = processID(in: state), process > 0 else {
        refuse("standard input is not an OCI state with a pid: only a container runtime starts this program")
    }
    let namespace = try Descriptor.open("/proc/\(process)/ns/net", flags: O_RDONLY)
    let deadline = Deadline.after(GateTiming.standard.gate)
    while true {
        do throws(ControlUnreachable) {
            let reply = try ControlClient.ask(
                .admit(claim: claim), descriptor: namespace, socket: socket, timeout: deadline.remaining)
            switch reply {
            case .ok, .supports: exit(0)
            case .refused(let why): refuse(why)
            }
        } catch {
            // nearside-nri may be restarting.
            if deadline.hasPassed { refuse("claim \(claim): \(error)") }
            usleep(100_000)
        }
    }
} catch {
    refuse("claim \(claim): \(error)")
}
