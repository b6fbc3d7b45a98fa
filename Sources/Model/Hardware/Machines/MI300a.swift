// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// 4 x MI300A with Slingshot, as a machine description.
    static let mi300a = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "4 x MI300A with Slingshot",
         "source": "NCCL topology file 4p_942 of ROCm/rccl (BSD-3-Clause)",
         "note": "From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}, {"id": 2}, {"id": 3}],
         "functions": [
          {"address": "0000:01:00.0", "vendor": "17db", "device": "0501", "class": "020000", "numaNode": 0},
          {"address": "0000:02:00.0", "vendor": "1002", "device": "74a0", "class": "120000", "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:41:00.0", "vendor": "17db", "device": "0501", "class": "020000", "numaNode": 1},
          {"address": "0000:42:00.0", "vendor": "1002", "device": "74a0", "class": "120000", "numaNode": 1, "driver": "amdgpu"},
          {"address": "0000:81:00.0", "vendor": "17db", "device": "0501", "class": "020000", "numaNode": 2},
          {"address": "0000:82:00.0", "vendor": "1002", "device": "74a0", "class": "120000", "numaNode": 2, "driver": "amdgpu"},
          {"address": "0000:c1:00.0", "vendor": "17db", "device": "0501", "class": "020000", "numaNode": 3},
          {"address": "0000:c2:00.0", "vendor": "1002", "device": "74a0", "class": "120000", "numaNode": 3, "driver": "amdgpu"}
         ]}
        """#
}
