// SPDX-License-Identifier: Apache-2.0

import CVerbs
import Glibc
package import Hardware
package import Linux
package import Primitives

/// libibverbs, if this machine has the library. Used by one thread.
// SAFETY: the table of functions is filled in before it is used, and the library is unloaded with the object, which its devices refer to.
@safe package final class Verbs {
    private var library = unsafe CVerbs()

    /// - Parameter name: the name of the shared library for the loader.
    /// - Throws: ``InputError`` on a machine without RDMA user space.
    package init(library name: String = "libibverbs.so.1") throws(InputError) {
        let size = 256
        var reason = [CChar](repeating: 0, count: size)
        // SAFETY: the call writes no more than the size, with a final zero.
        guard unsafe CVerbs_open(&library, name, &reason, size) == 0 else {
            throw InputError(.unreadable, "libibverbs", at: "load", String(zeroTerminated: reason))
        }
    }

    deinit { unsafe CVerbs_close(&library) }

    /// Opens all hardware devices. Devices of other namespaces are not listed; devices whose node this process may not open have a
    /// refusal.
    ///
    /// Software RDMA stays closed: its drivers wait for the close of a device before they remove it, so `rdma link del` would wait for
    /// this process.
    package func open() -> [VerbsDevice] {
        var count: Int32 = 0
        guard let list = unsafe library.get_device_list(&count) else { return [] }
        defer { unsafe library.free_device_list(list) }
        return (0..<Int(count)).compactMap { index in
            guard let device = unsafe list[index], let name = unsafe library.get_device_name(device),
                Files.exists(unsafe "/sys/class/infiniband/\(String(cString: name))/device")
            else { return nil }
            // The list may be freed while devices are open.
            errno = 0
            let context = unsafe library.open_device(device)
            let refusal = unsafe context == nil ? SystemError.text(of: errno) : nil
            return unsafe VerbsDevice(
                verbs: self, name: String(cString: name), nodeGUID: Self.text(guid: CVerbs_guid(&library, device)),
                context: context, refusal: refusal)
        }
    }

    /// Formats a GUID as sysfs does: four groups of four digits.
    static func text(guid: UInt64) -> String {
        let padded = Array(Hex.text(guid, width: 16))
        return stride(from: 0, to: 16, by: 4).map { String(padded[$0..<$0 + 4]) }.joined(separator: ":")
    }

    fileprivate func close(_ context: UnsafeMutablePointer<ibv_context>) { _ = unsafe library.close_device(context) }

    fileprivate func attributes(of context: UnsafeMutablePointer<ibv_context>) -> VerbsAttributes? {
        var attributes = ibv_device_attr()
        guard unsafe library.query_device(context, &attributes) == 0 else { return nil }
        // SAFETY: the field is an array of characters in the structure.
        let firmware = unsafe withUnsafeBytes(of: attributes.fw_ver) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return VerbsAttributes(
            firmware: firmware.isEmpty ? nil : firmware, ports: Int(attributes.phys_port_cnt), queuePairs: Int(attributes.max_qp))
    }

    fileprivate func port(_ number: UInt8, of context: UnsafeMutablePointer<ibv_context>) -> RDMAPort? {
        var answer = CVerbs_port()
        guard unsafe CVerbs_query_port(&library, context, number, &answer) == 0 else { return nil }
        let states: [Int32: String] = [1: "DOWN", 2: "INIT", 3: "ARMED", 4: "ACTIVE"]
        let layers: [Int32: String] = [0: "Unspecified", 1: "InfiniBand", 2: "Ethernet"]
        // InfiniBand Architecture 1.4, section 14.2.5.6, PortInfo: LinkWidthActive and LinkSpeedActive.
        let widths: [Int32: Double] = [1: 1, 2: 4, 4: 8, 8: 12, 16: 2]
        let speeds: [Int32: Double] = [1: 2.5, 2: 5, 4: 10, 8: 10, 16: 14, 32: 25, 64: 50, 128: 100]
        let rate = widths[answer.width].flatMap { width in speeds[answer.speed].map { $0 * width } }
        var port = RDMAPort(number: Int(number), state: states[answer.state], linkLayer: layers[answer.link_layer], rate: rate)
        if answer.link_layer == 1, answer.lid > 0 { port.lid = Int(answer.lid) }
        return port
    }

    fileprivate func nextEvent(of context: UnsafeMutablePointer<ibv_context>, _ device: String) -> VerbsDevice.Next {
        var (kind, port): (Int32, Int32) = (0, 0)
        switch unsafe CVerbs_next_event(&library, context, &kind, &port) {
        case 1:
            let type = ibv_event_type(rawValue: UInt32(bitPattern: kind))
            let text = unsafe library.event_type_str(type).map { unsafe String(cString: $0) } ?? "event \(kind)"
            return .event(VerbsEvent(device: device, port: port > 0 ? Int(port) : nil, kind: VerbsEvent.Kind(type), text: text))
        case 0: return .none
        default: return .gone
        }
    }
}

/// The capabilities of a device, as its provider reports them.
package struct VerbsAttributes: Hashable, Sendable {
    package var firmware: String?
    package var ports: Int
    package var queuePairs: Int
}

/// A device that libibverbs lists, open if permitted.
// SAFETY: the context is open as long as the object lives, which keeps the library loaded.
@safe package final class VerbsDevice {
    package let name: String
    package let nodeGUID: String
    /// The reason why the device is not open; nil if it is.
    package let refusal: String?
    private let verbs: Verbs
    private let context: UnsafeMutablePointer<ibv_context>?

    fileprivate init(
        verbs: Verbs, name: String, nodeGUID: String, context: UnsafeMutablePointer<ibv_context>?, refusal: String?
    ) {
        self.verbs = verbs
        self.name = name
        self.nodeGUID = nodeGUID
        unsafe self.context = unsafe context
        self.refusal = refusal
    }

    deinit { if let context = unsafe context { unsafe verbs.close(context) } }

    package var attributes: VerbsAttributes? { unsafe context.flatMap { unsafe verbs.attributes(of: $0) } }

    /// Queries a port; nil if the device is not open, or has no such port.
    package func port(_ number: Int) -> RDMAPort? {
        guard let number = UInt8(exactly: number) else { return nil }
        return unsafe context.flatMap { unsafe verbs.port(number, of: $0) }
    }

    /// A duplicate of the descriptor, which becomes readable after an event.
    package func eventDescriptor() -> Descriptor? {
        guard let context = unsafe context else { return nil }
        return try? unsafe Descriptor.duplicate(CVerbs_async_descriptor(context))
    }

    enum Next {
        case event(VerbsEvent)
        case none
        /// The device was removed.
        case gone
    }

    func nextEvent() -> Next { unsafe context.map { unsafe verbs.nextEvent(of: $0, name) } ?? .gone }
}

/// An asynchronous event of an RDMA device (ibv_get_async_event(3)).
package struct VerbsEvent: Hashable, Sendable, CustomStringConvertible {
    /// The type of an event.
    package enum Kind: Sendable {
        case portActive
        case portError
        case gidChange
        case deviceFatal
        /// Changes of identifiers, keys and managers of a subnet, and events of single connections.
        case other

        init(_ type: ibv_event_type) {
            switch type {
            case IBV_EVENT_PORT_ACTIVE: self = .portActive
            case IBV_EVENT_PORT_ERR: self = .portError
            case IBV_EVENT_GID_CHANGE: self = .gidChange
            case IBV_EVENT_DEVICE_FATAL: self = .deviceFatal
            default: self = .other
            }
        }
    }

    package var device: String
    /// Nil if the event does not belong to a port.
    package var port: Int?
    package var kind: Kind
    /// The description by libibverbs.
    package var text: String

    package var description: String { "\(device)\(port.map { " port \($0)" } ?? ""): \(text)" }
}
