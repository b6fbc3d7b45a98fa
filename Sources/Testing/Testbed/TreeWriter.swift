// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Linux

/// Writes a laid-out machine to the disk.
package enum TreeWriter {
    package static func write(_ machine: Machine, to root: String) throws(SystemError) {
        for entry in SysfsLayout(machine).entries {
            switch entry {
            case .directory(let path): try Files.makeFolder("\(root)/\(path)")
            case .file(let path, let bytes):
                try makeParent("\(root)/\(path)")
                try Files.write("\(root)/\(path)", bytes)
            case .link(let path, let target):
                try makeParent("\(root)/\(path)")
                try Files.makeLink("\(root)/\(path)", to: target)
            }
        }
    }

    private static func makeParent(_ path: String) throws(SystemError) {
        if let slash = path.lastIndex(of: "/") { try Files.makeFolder(String(path[..<slash])) }
    }
}
