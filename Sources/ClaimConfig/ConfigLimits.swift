// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// Bounds of configurations: decoding, `api/networkconfig.schema.json` and `nearside validate` have them from here.
package enum ConfigLimits {
    /// The text of one configuration. 10 KiB is the API's own limit (resource/v1, OpaqueParametersMaxLength).
    package static let text = JSONLimits(bytes: 10 << 10, depth: 8, values: 4096)
}
