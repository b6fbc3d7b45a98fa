// SPDX-License-Identifier: Apache-2.0

import CVerbs
import Hardware

/// A device as libibverbs knows it.
struct VerbsDevice {
    var nodeGUID: String
    /// State, link layer and rate of a port; nil when the device may not be opened.
    var port: (_ number: Int) -> RDMAPort?
}

/// libibverbs, if this machine has it.
enum Verbs {
    /// Runs the closure with the devices by kernel name; nil when there is no RDMA user space.
    static func withDevices<Value>(_ body: ([String: VerbsDevice]) -> Value) -> Value? {
        var library = CVerbs()
        guard CVerbs_open(&library) == 0 else { return nil }
        defer { CVerbs_close(&library) }
        var count: Int32 = 0
        guard let list = CVerbs_list(&library, &count) else { return body([:]) }
        defer { CVerbs_free(&library, list) }
        var devices: [String: VerbsDevice] = [:]
        for index in 0..<Int(count) {
            guard let device = list[index], let name = CVerbs_name(&library, device) else { continue }
            let opened = library
            devices[String(cString: name)] = VerbsDevice(
                nodeGUID: text(guid: CVerbs_guid(&library, device)),
                port: { number in
                    var library = opened
                    return query(&library, device, port: number)
                })
        }
        return body(devices)
    }

    /// As sysfs prints it: four groups of four digits.
    static func text(guid: UInt64) -> String {
        let digits = String(guid, radix: 16)
        let padded = Array(String(repeating: "0", count: 16 - digits.count) + digits)
        return stride(from: 0, to: 16, by: 4).map { String(padded[$0..<$0 + 4]) }.joined(separator: ":")
    }

    private static func query(
        _ library: inout CVerbs, _ device: UnsafeMutablePointer<ibv_device>, port number: Int
    ) -> RDMAPort? {
        var state: Int32 = 0
        var layer: Int32 = 0
        var width: Int32 = 0
        var speed: Int32 = 0
        guard let port = UInt8(exactly: number),
            CVerbs_port(&library, device, port, &state, &layer, &width, &speed) == 0
        else { return nil }
        let states: [Int32: String] = [1: "DOWN", 2: "INIT", 3: "ARMED", 4: "ACTIVE"]
        let layers: [Int32: String] = [0: "Unspecified", 1: "InfiniBand", 2: "Ethernet"]
        // InfiniBand Architecture 1.4, section 14.2.5.6, PortInfo: LinkWidthActive and LinkSpeedActive.
        let widths: [Int32: Double] = [1: 1, 2: 4, 4: 8, 8: 12, 16: 2]
        let speeds: [Int32: Double] = [1: 2.5, 2: 5, 4: 10, 8: 10, 16: 14, 32: 25, 64: 50, 128: 100]
        let rate = widths[width].flatMap { width in speeds[speed].map { $0 * width } }
        return RDMAPort(number: number, state: states[state], linkLayer: layers[layer], rate: rate)
    }
}
