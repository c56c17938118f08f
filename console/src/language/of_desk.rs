//! The texts of what is ordered besides letting through and sending back.

use super::Language;

texts! {
    change_group: "Sửa nhóm xe", "Correct the group";
    retry_read: "Đọc lại thẻ", "Read again";
    lane_orders: "Lệnh cho làn", "Orders to a lane";
    mode: "Chế độ", "Mode";
    set_mode: "Đặt chế độ", "Set the mode";
    mode_automatic: "Hỗn hợp", "Mixed";
    mode_etc_only: "Chỉ ETC", "ETC only";
    mode_attended: "Nhân viên xử lý từng xe", "Attended";
    mode_closed: "Đóng làn", "Closed";
    mode_maintenance: "Bảo trì", "Maintenance";
    convoy: "Đoàn xe", "Convoy";
    convoy_name: "Tên đoàn (không ghi biển số)", "Name of the convoy (no plates)";
    convoy_vehicles: "Số xe tối đa", "Vehicles at most";
    convoy_minutes: "Số phút tối đa", "Minutes at most";
    convoy_second: "Người thứ hai (tên)", "Second person (name)";
    convoy_password: "Mật khẩu của người thứ hai", "Second person's password";
    convoy_code: "Mã của người thứ hai (nếu có)", "Second person's code (if any)";
    begin_convoy: "Cho đoàn xe qua", "Let the convoy through";
    end_convoy: "Kết thúc đoàn xe", "End the convoy";
    convoy_of: "trên", "of";
    answer_obeyed: "Làn đã thực hiện lệnh.", "The lane has obeyed.";
    second_is_somebody_else: "Cần người thứ hai khác bạn xác nhận.", "Somebody else has to agree.";
    second_not_shown: "Người thứ hai chưa được xác nhận: tên, mật khẩu hoặc mã không đúng.", "The second person was not let in: name, password or code are not right.";
    form_mode: "Không có chế độ này.", "There is no such mode.";
    form_convoy: "Hãy nhập tên đoàn, số xe và số phút.", "Enter the convoy's name, number of vehicles and minutes.";
    picture_of_plate: "Ảnh biển số của xe đang chờ", "Plate of the vehicle that waits";
    picture_of_vehicle: "Ảnh toàn cảnh của xe đang chờ", "Overview of the vehicle that waits";
    picture_of_either: "Ảnh của xe đang chờ", "Picture of the vehicle that waits";
    deed_order_agreed: "Người thứ hai đồng ý", "Agreed to as second person";
    verb_change_group: "Sửa nhóm", "Group corrected";
    verb_retry_read: "Đọc thẻ lần nữa", "Read once more";
    verb_begin_convoy: "Cho đoàn qua", "Convoy let through";
    verb_end_convoy: "Đoàn đã qua", "Convoy ended";
    verb_set_mode: "Đổi chế độ làn", "Mode set";
}
