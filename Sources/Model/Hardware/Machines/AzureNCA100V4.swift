// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// Standard_NC96ads_A100_v4, as a machine description.
    static let azureNcA100V4 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "Standard_NC96ads_A100_v4",
         "source": "Azure's NCCL topology file for NC A100 v4 (MIT)",
         "note": "No fabric NIC. From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}, {"id": 2}, {"id": 3}],
         "functions": [
          {"address": "0001:00:00.0", "vendor": "10de", "device": "20b5", "class": "030200", "numaNode": 0, "driver": "nvidia"},
          {"address": "0002:00:00.0", "vendor": "10de", "device": "20b5", "class": "030200", "numaNode": 1, "driver": "nvidia"},
          {"address": "0003:00:00.0", "vendor": "10de", "device": "20b5", "class": "030200", "numaNode": 2, "driver": "nvidia"},
          {"address": "0004:00:00.0", "vendor": "10de", "device": "20b5", "class": "030200", "numaNode": 3, "driver": "nvidia"}
         ]}
        """#
}
