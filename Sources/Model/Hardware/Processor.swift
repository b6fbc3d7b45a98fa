// SPDX-License-Identifier: Apache-2.0

/// The model of a machine's processors, which is the same for all of them.
package struct Processor: Hashable, Sendable, Codable {
    /// An architecture for which NCCL has rates.
    package enum Architecture: String, Sendable, Codable, CaseIterable {
        case x86 = "x86_64"
        case arm = "arm64"
        case power = "ppc64"

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let name = try container.decode(String.self)
            guard let architecture = Self(rawValue: name) else {
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription: "\"\(name)\" is not one of \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            self = architecture
        }
    }

    package var architecture: Architecture
    /// Vendor of an x86 processor: `GenuineIntel`, `AuthenticAMD`.
    package var vendor: String?
    /// Family of an x86 processor in the kernel's numbers, which include the extended family and model.
    package var family: Int?
    package var model: Int?

    package init(architecture: Architecture, vendor: String? = nil, family: Int? = nil, model: Int? = nil) {
        self.architecture = architecture
        self.vendor = vendor
        self.family = family
        self.model = model
    }

    /// Reads the first processor of `/proc/cpuinfo`; nil for another architecture (arch/*/kernel/cpu/proc.c).
    package init?(information text: String) {
        var values: [Substring: String] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).prefix(while: { !$0.isEmpty }) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].prefix { $0 != "\t" }
            values[name.last == " " ? name.dropLast() : name] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        if let vendor = values["vendor_id"], !vendor.isEmpty {
            self.init(
                architecture: .x86, vendor: vendor, family: values["cpu family"].flatMap { Int($0) },
                model: values["model"].flatMap { Int($0) })
        } else if values["CPU implementer"] != nil {
            self.init(architecture: .arm)
        } else if values["cpu"]?.hasPrefix("POWER") == true {
            self.init(architecture: .power)
        } else {
            return nil
        }
    }

    /// Lines of `/proc/cpuinfo` from which the same value is read.
    package var information: String {
        switch architecture {
        case .x86:
            let lines = [
                vendor.map { "vendor_id\t: \($0)" }, family.map { "cpu family\t: \($0)" }, model.map { "model\t\t: \($0)" },
            ]
            return (["processor\t: 0"] + lines.compactMap(\.self)).joined(separator: "\n")
        case .arm: return "processor\t: 0\nCPU implementer\t: 0x41"
        case .power: return "processor\t: 0\ncpu\t\t: POWER9"
        }
    }
}
