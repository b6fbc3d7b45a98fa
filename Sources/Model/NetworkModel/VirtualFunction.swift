// SPDX-License-Identifier: Apache-2.0

/// The settings of a virtual function on its physical function (IFLA_VFINFO_LIST). In a configuration and a plan, nil leaves a setting
/// unchanged. In a driver's report, nil means that the driver does not have the setting.
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

    /// Returns these settings, with nil values replaced by the other's values.
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

    /// Returns the settings that differ from the present ones. A VLAN tag and a pair of rates are set as a whole.
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

/// A virtual function in the report of its physical function's driver.
package struct VirtualFunction: Hashable, Sendable {
    package var number: UInt32
    package var settings = VirtualFunctionSettings()

    package init(number: UInt32) {
        self.number = number
        (settings.vlan, settings.minimalRate, settings.maximalRate) = (0, 0, 0)
    }
}

/// In JSON the settings are members of the same object as the number.
extension VirtualFunction: Codable {
    private enum Key: String, CodingKey { case number, vlan, minimalRate, maximalRate }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        // All drivers report these settings.
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
