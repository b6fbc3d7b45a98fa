// SPDX-License-Identifier: Apache-2.0

/// The settings of a virtual function on its physical function (IFLA_VFINFO_LIST). In a configuration and a plan nil leaves a setting
/// unchanged; as the driver reports them, nil is a setting that it does not have.
package struct VirtualFunctionSettings: Hashable, Sendable, Codable {
    package var hardwareAddress: HardwareAddress?
    package var vlan: UInt16?
    /// Priority in the VLAN's tags.
    package var vlanPriority: UInt32?
    package var isTrusted: Bool?
    package var checksSpoofing: Bool?
    /// Mb/s; 0 means no limit.
    package var minimalRate: UInt32?
    package var maximalRate: UInt32?
    /// IFLA_VF_LINK_STATE_* of linux/if_link.h.
    package var linkState: UInt32?

    package init() {}

    /// These settings, and those of the other where they have none.
    package func filled(from other: Self) -> Self {
        var result = self
        result.hardwareAddress = hardwareAddress ?? other.hardwareAddress
        result.vlan = vlan ?? other.vlan
        result.vlanPriority = vlanPriority ?? other.vlanPriority
        result.isTrusted = isTrusted ?? other.isTrusted
        result.checksSpoofing = checksSpoofing ?? other.checksSpoofing
        result.minimalRate = minimalRate ?? other.minimalRate
        result.maximalRate = maximalRate ?? other.maximalRate
        result.linkState = linkState ?? other.linkState
        return result
    }

    /// Those of these settings that the present ones differ from. A tag and a rate are set as a whole.
    package func changes(from now: Self) -> Self {
        var result = self
        if vlan == now.vlan, vlanPriority == nil || vlanPriority == now.vlanPriority { (result.vlan, result.vlanPriority) = (nil, nil) }
        if minimalRate == now.minimalRate, maximalRate == now.maximalRate { (result.minimalRate, result.maximalRate) = (nil, nil) }
        if hardwareAddress == now.hardwareAddress { result.hardwareAddress = nil }
        if isTrusted == now.isTrusted { result.isTrusted = nil }
        if checksSpoofing == now.checksSpoofing { result.checksSpoofing = nil }
        if linkState == now.linkState { result.linkState = nil }
        return result
    }
}

/// A virtual function as its physical function's driver has it.
package struct VirtualFunction: Hashable, Sendable {
    package var number: UInt32
    package var settings = VirtualFunctionSettings()

    package init(number: UInt32) {
        self.number = number
        (settings.vlan, settings.minimalRate, settings.maximalRate) = (0, 0, 0)
    }
}

/// The settings are members beside the number.
extension VirtualFunction: Codable {
    private enum Key: String, CodingKey { case number, vlan, minimalRate, maximalRate }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        // Drivers report all of these.
        for key in [Key.vlan, .minimalRate, .maximalRate] { _ = try values.decode(UInt32.self, forKey: key) }
        number = try values.decode(UInt32.self, forKey: .number)
        settings = try VirtualFunctionSettings(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(number, forKey: .number)
        try settings.encode(to: encoder)
    }
}
