// SPDX-License-Identifier: Apache-2.0

/// A PCI Express link: the rate of each lane and the number of lanes.
package struct PCILink: Hashable, Sendable, Codable {
    /// Transfers per second and lane in 10^9: 2.5, 5, 8, 16, 32 or 64.
    package var gigatransfers: Double
    package var lanes: Int

    package init(gigatransfers: Double, lanes: Int) {
        // Impossible values become 0, so that they do not break calculations.
        self.gigatransfers = Self.rates.contains(gigatransfers) ? gigatransfers : 0
        self.lanes = Self.widths.contains(lanes) ? lanes : 0
    }

    private static let rates = 0.0...1000
    private static let widths = 0...64

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        gigatransfers = try values.decode(Double.self, forKey: .gigatransfers)
        lanes = try values.decode(Int.self, forKey: .lanes)
        guard Self.rates.contains(gigatransfers) else {
            throw DecodingError.dataCorruptedError(forKey: .gigatransfers, in: values, debugDescription: "is not a rate in GT/s, 0 to 1000")
        }
        guard Self.widths.contains(lanes) else {
            throw DecodingError.dataCorruptedError(forKey: .lanes, in: values, debugDescription: "is not a number of lanes, 0 to 64")
        }
    }

    private enum CodingKeys: String, CodingKey {
        case gigatransfers, lanes
    }

    /// Gb/s after the line code: 8b/10b up to 5 GT/s, 128b/130b up to 32 GT/s, and fixed-size flits without a code above (PCI Express Base
    /// 6.0, sections 4.2.1 and 4.2.2).
    package var gigabitsPerSecond: Double {
        let code = gigatransfers <= 5 ? 0.8 : gigatransfers <= 32 ? 128.0 / 130.0 : 1
        return gigatransfers * Double(lanes) * code
    }
}

/// Access Control Services that are enabled at a bridge (PCI Express Base, ACS control register).
///
/// Redirection at a switch sends traffic between two devices behind it up to the host bridge and back, so that near devices are no longer
/// near.
package struct ACSControl: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let sourceValidation = ACSControl(rawValue: 1 << 0)
    package static let translationBlocking = ACSControl(rawValue: 1 << 1)
    package static let requestRedirect = ACSControl(rawValue: 1 << 2)
    package static let completionRedirect = ACSControl(rawValue: 1 << 3)
    package static let upstreamForwarding = ACSControl(rawValue: 1 << 4)
    package static let egressControl = ACSControl(rawValue: 1 << 5)
    package static let directTranslated = ACSControl(rawValue: 1 << 6)

    /// Names in the spelling of `lspci -vv`.
    private static let names = [
        "SrcValid", "TransBlk", "ReqRedir", "CmpltRedir", "UpstreamFwd", "EgressCtrl", "DirectTrans",
    ]

    package var names: [String] {
        Self.names.indices.filter { rawValue & 1 << UInt16($0) != 0 }.map { Self.names[$0] }
    }
}

extension ACSControl: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        var control: ACSControl = []
        for name in try container.decode([String].self) {
            guard let bit = Self.names.firstIndex(of: name) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "\"\(name)\" is not one of \(Self.names.joined(separator: ", "))")
            }
            control.insert(ACSControl(rawValue: 1 << UInt16(bit)))
        }
        self = control
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(names)
    }
}
