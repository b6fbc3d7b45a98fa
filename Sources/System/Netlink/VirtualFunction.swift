// SPDX-License-Identifier: Apache-2.0

import CLinux
package import NetworkModel

extension VirtualFunction {
    /// Reads the virtual functions in the answer to ``NetlinkRequest/virtualFunctions(of:)``.
    package static func list(_ message: Message, addressLength: Int = 6) -> [VirtualFunction] {
        guard message.payload.count >= 16, let attributes = Attribute.list(message.payload.dropFirst(16)),
            let list = attributes[type: IFLA_VFINFO_LIST]?.nested
        else { return [] }
        return list.compactMap { VirtualFunction($0, addressLength: addressLength) }
    }

    private init?(_ attribute: Attribute, addressLength: Int) {
        guard let parts = attribute.nested, let mac = parts[type: IFLA_VF_MAC] else { return nil }
        var reader = ByteReader(mac.value)
        // struct ifla_vf_mac: number, then 32 bytes of address.
        guard let number = reader.integer(UInt32.self), let address = reader.take(addressLength) else { return nil }
        self.init(number: number)
        settings.hardwareAddress = HardwareAddress(bytes: address)
        /// The second member of structures with two numbers.
        func value(_ type: Int) -> UInt32? {
            parts[type: type].flatMap { attribute in
                var reader = ByteReader(attribute.value)
                return reader.skip(4) ? reader.integer(UInt32.self) : nil
            }
        }
        // Drivers that do not support a setting report all ones.
        func flag(_ type: Int) -> Bool? { value(type).flatMap { $0 == .max ? nil : $0 != 0 } }
        settings.vlan = UInt16(clamping: value(IFLA_VF_VLAN) ?? 0)
        settings.linkState = value(IFLA_VF_LINK_STATE)
        if let tag = parts[type: IFLA_VF_VLAN] {
            var reader = ByteReader(tag.value)
            if reader.skip(8) { settings.vlanPriority = reader.integer(UInt32.self) }
        }
        settings.isTrusted = flag(IFLA_VF_TRUST)
        settings.checksSpoofing = flag(IFLA_VF_SPOOFCHK)
        if let rate = parts[type: IFLA_VF_RATE] {
            var reader = ByteReader(rate.value)
            if reader.skip(4), let low = reader.integer(UInt32.self), let high = reader.integer(UInt32.self) {
                (settings.minimalRate, settings.maximalRate) = (low, high)
            }
        }
    }
}

extension NetlinkRequest {
    /// `ip link show dev NAME`, with its virtual functions.
    package static func virtualFunctions(of name: String) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_IFNAME, text: name)
        builder.attribute(IFLA_EXT_MASK, integer: UInt32(RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS))
        return NetlinkRequest("read the virtual functions of \(name)", type: RTM_GETLINK, payload: builder.body)
    }

    /// `ip link set dev PARENT vf NUMBER ...`, one request for each setting, so that a driver refuses only unsupported ones.
    package static func set(
        _ settings: VirtualFunctionSettings, of number: UInt32, ofParent index: Int32, named parent: String
    ) -> [NetlinkRequest] {
        var requests: [NetlinkRequest] = []
        func set(_ what: String, _ type: Int, _ value: (inout MessageBuilder) -> Void) {
            var content = MessageBuilder()
            content.integer(number)
            value(&content)
            var builder = MessageBuilder()
            Link.header(&builder, index: index)
            builder.nested(IFLA_VFINFO_LIST) { $0.nested(IFLA_VF_INFO) { $0.attribute(type, content.body) } }
            requests.append(
                NetlinkRequest("set \(what) of virtual function \(number) of \(parent)", type: RTM_NEWLINK, payload: builder.body))
        }
        if let hardwareAddress = settings.hardwareAddress {
            let bytes = hardwareAddress.bytes.prefix(32)
            set("the hardware address", IFLA_VF_MAC) { builder in
                for byte in bytes + [UInt8](repeating: 0, count: 32 - bytes.count) { builder.integer(byte) }
            }
        }
        if let vlan = settings.vlan {
            set("the VLAN", IFLA_VF_VLAN) {
                $0.integer(UInt32(vlan))
                $0.integer(settings.vlanPriority ?? 0)
            }
        }
        if let isTrusted = settings.isTrusted { set("trust", IFLA_VF_TRUST) { $0.integer(UInt32(isTrusted ? 1 : 0)) } }
        if let checksSpoofing = settings.checksSpoofing {
            set("spoof checking", IFLA_VF_SPOOFCHK) { $0.integer(UInt32(checksSpoofing ? 1 : 0)) }
        }
        if let low = settings.minimalRate, let high = settings.maximalRate {
            set("the rate", IFLA_VF_RATE) {
                $0.integer(low)
                $0.integer(high)
            }
        }
        if let linkState = settings.linkState { set("the link", IFLA_VF_LINK_STATE) { $0.integer(linkState) } }
        return requests
    }
}
